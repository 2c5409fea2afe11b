/** What the page can window for itself: a frame's grey values, or its colours, before any window. */
import { decode } from "./png16.js";
import { channelShades, leastWidth, paintColour, paintGrey, shadesOf } from "./windowing.js";

/** @typedef {import("./api.js").Provenance} Provenance */
/** @typedef {import("./api.js").StoredValues} StoredValues */
/** @typedef {import("./windowing.js").Window} Window */
/** @typedef {import("./windowing.js").WindowFunction} WindowFunction */

/**
 * @typedef {object} Preview
 * @property {number} width pixels, at most as many as were asked for
 * @property {number} height
 * @property {Provenance} provenance of the whole frame
 * @property {boolean} isGrey
 * @property {boolean} isHounsfield whether presets are meant for it
 * @property {[number, number]} range the least and the greatest value
 * @property {number} leastWidth of a window
 * @property {(window: Window, isExact: boolean) => ImageData} paint through a window; isExact: by LINEAR_EXACT, as the
 *   server does where it chose the window from the values
 */

/** @typedef {{blob: Blob, provenance: Provenance}} Rendering */

/** Where a PNG tells its colour type; 0 is grey. */
const COLOUR_TYPE_AT = 25;

/**
 * @param {(format: "gray16" | "png") => Promise<Rendering>} render
 * @param {boolean} isKnownGrey of another frame
 * @returns {Promise<Preview>}
 */
export async function fetchPreview(render, isKnownGrey) {
  if (isKnownGrey) return grey(await render("gray16"));
  const plain = await render("png");
  // Colours have no grey values to ask for.
  return (await isGrey(plain.blob)) ? grey(await render("gray16")) : colour(plain);
}

/** @param {Blob} png */
async function isGrey(png) {
  const [type] = new Uint8Array(await png.slice(COLOUR_TYPE_AT, COLOUR_TYPE_AT + 1).arrayBuffer());
  return type === 0;
}

/**
 * @param {Rendering} rendering
 * @returns {Promise<Preview>}
 */
async function grey({ blob, provenance }) {
  const { width, height, numbers } = await decode(blob);
  const stored = /** @type {StoredValues} */ (provenance.values);
  const { slope, intercept } = stored;
  const [low, high] = ends(numbers);
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  return {
    width,
    height,
    provenance,
    isGrey: true,
    isHounsfield: stored.units === "HU",
    range: [low * slope + intercept, high * slope + intercept],
    leastWidth: leastWidth(stored.function),
    paint(window, isExact) {
      paintGrey(numbers, shadesOf(stored, window, isExact ? "LINEAR_EXACT" : stored.function, low, high), pixels);
      return image;
    },
  };
}

/**
 * @param {Rendering} rendering
 * @returns {Promise<Preview>}
 */
async function colour({ blob, provenance }) {
  const source = await pixelsOf(blob);
  const colours = new Uint32Array(source.data.buffer);
  const image = new ImageData(source.width, source.height);
  const pixels = new Uint32Array(image.data.buffer);
  return {
    width: source.width,
    height: source.height,
    provenance,
    isGrey: false,
    isHounsfield: false,
    range: [0, 255],
    leastWidth: leastWidth("LINEAR_EXACT"),
    paint(window) {
      paintColour(colours, channelShades(window), pixels);
      return image;
    },
  };
}

/**
 * @param {Blob} blob
 * @returns {Promise<ImageData>}
 */
async function pixelsOf(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  if (!context) throw new Error("The browser has no canvas.");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, context.canvas.width, context.canvas.height);
}

/** @param {Uint16Array} numbers */
function ends(numbers) {
  let [low, high] = [65535, 0];
  for (const number of numbers) {
    if (number < low) low = number;
    if (number > high) high = number;
  }
  return [low, high];
}

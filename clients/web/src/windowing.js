/**
 * Stored numbers -> shades of 8 bits, through a window: the server's own arithmetic, number by number (DICOM PS3.3
 * C.11.2.1), so that what is dragged here looks as the server's render does.
 */

/** @typedef {{center: number, width: number}} Window in the picture's own values */
/** @typedef {import("./api.js").StoredValues} StoredValues */
/** @typedef {"LINEAR" | "LINEAR_EXACT" | "SIGMOID"} WindowFunction */

/** Of a 16-bit picture. */
const NUMBERS = 65536;

const OPAQUE = 0xff000000;

/**
 * Windows for CT in Hounsfield units, in the order of their keys.
 * @type {ReadonlyMap<string, Window>}
 */
export const PRESETS = new Map([
  ["soft-tissue", { center: 40, width: 400 }],
  ["lung", { center: -600, width: 1500 }],
  ["liver", { center: 90, width: 150 }],
  ["bone", { center: 480, width: 2500 }],
  ["brain", { center: 40, width: 80 }],
]);

/** @type {Record<WindowFunction, (value: number, window: Window) => number>} the part of white, not clipped yet */
const FUNCTIONS = {
  // A width of 1 divides by 0, as it should: what is not a number in the middle becomes black.
  LINEAR: (value, { center, width }) => (value - (center - 0.5)) / (width - 1) + 0.5,
  LINEAR_EXACT: (value, { center, width }) => (value - center) / width + 0.5,
  SIGMOID: (value, { center, width }) => 1 / (1 + Math.exp(-4 * ((value - center) / width))),
};

/**
 * How wide a window must be: for LINEAR at least that, for the others more.
 * @param {WindowFunction} shape
 */
export function leastWidth(shape) {
  return shape === "LINEAR" ? 1 : 0;
}

/**
 * The shade of every number that a 16-bit picture holds.
 * @param {StoredValues} stored how its numbers are read
 * @param {Window} window
 * @param {WindowFunction} shape
 * @param {number} [low] the least of its numbers
 * @param {number} [high] the greatest
 * @returns {Uint8Array} 65,536 of them; those of numbers that it does not hold mean nothing
 */
export function shadesOf({ slope, intercept, inverted, padding }, window, shape, low = 0, high = NUMBERS - 1) {
  const shades = new Uint8Array(NUMBERS);
  const part = FUNCTIONS[shape];
  for (let number = low; number <= high; number += 1) {
    const value = number * slope + intercept;
    const shade = rounded(part(value, window));
    shades[number] = inverted ? 255 - shade : shade;
    if (padding && padding[0] <= value && value <= padding[1]) shades[number] = 0;
  }
  return shades;
}

/**
 * The shade of each value of an 8-bit channel.
 * @param {Window} window
 * @returns {Uint8Array} 256 of them
 */
export function channelShades(window) {
  return Uint8Array.from({ length: 256 }, (_, value) => rounded(FUNCTIONS.LINEAR_EXACT(value, window)));
}

/**
 * @param {Uint16Array} numbers
 * @param {Uint8Array} shades as `shadesOf` gives them
 * @param {Uint32Array} pixels of an ImageData, as many as numbers
 */
export function paintGrey(numbers, shades, pixels) {
  for (let place = 0; place < numbers.length; place += 1) {
    pixels[place] = OPAQUE | (shades[numbers[place]] * 0x010101);
  }
}

/**
 * @param {Uint32Array} colours of an ImageData
 * @param {Uint8Array} shades as `channelShades` gives them
 * @param {Uint32Array} pixels as many as colours
 */
export function paintColour(colours, shades, pixels) {
  for (let place = 0; place < colours.length; place += 1) {
    const colour = colours[place];
    const low = shades[colour & 0xff] | (shades[(colour >> 8) & 0xff] << 8);
    pixels[place] = OPAQUE | low | (shades[(colour >> 16) & 0xff] << 16);
  }
}

/**
 * To the nearest, halves to the even one.
 * @param {number} part of white; what is not a number is black
 */
function rounded(part) {
  const shade = Math.min(Math.max(0, part * 255), 255);
  if (!(shade >= 0)) return 0;
  const below = Math.floor(shade);
  const isUp = shade - below > 0.5 || (shade - below === 0.5 && below % 2 === 1);
  return isUp ? below + 1 : below;
}

/**
 * What is painted of a picture: values that the page windows for itself while the window is dragged, and the server's
 * own render as soon as it rests.
 */
import { LARGEST_SIDE, PREVIEW_SIDE } from "./picture.js";
import { PRESETS } from "./windowing.js";

/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {import("./preview.js").Preview} Preview */
/** @typedef {import("./windowing.js").Window} Window */
/** @typedef {import("./api.js").Provenance} Provenance */

/** Fires "change". */
export class Film extends EventTarget {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    super();
    this.#canvas = canvas;
    this.#context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    /** @type {Preview | null} of the frame that is shown */
    this.preview = null;
    /** @type {Provenance | null} of the frame that is shown, whole */
    this.provenance = null;
    /** @type {Window | null} none where 8-bit values are shown as they are, or values through the file's table */
    this.window = null;
    /** @type {"page" | "server" | null} who made what is shown; null until it can be windowed too */
    this.painter = null;
    /** @type {number | null} the frame that is on the canvas */
    this.frame = null;
    /** @type {unknown} */
    this.failure = null;
  }

  #canvas;
  #context;
  /** @type {Picture | null} */
  #picture = null;
  #side = PREVIEW_SIDE;
  /** Of `preview`. */
  #previewed = 1;
  #wanted = "";
  #isLoading = false;
  /** @type {Window | null} */
  #dragged = null;
  #nextPaint = 0;
  /** Whether the server chose the window by the values: it goes through another function than what people choose. */
  #isOfPercentiles = false;

  /**
   * Show a picture as it is now; again after each of its changes.
   * @param {Picture | null} picture
   */
  show(picture) {
    if (picture !== this.#picture) this.#clear();
    this.#picture = picture;
    // It may work now.
    if (this.failure) this.retry();
    else this.#load();
  }

  /**
   * It is seen at so many pixels of its longer side: more than there are now are asked of the server.
   * @param {number} side
   */
  sharpen(side) {
    const longest = this.provenance ? Math.max(this.provenance.width, this.provenance.height) : PREVIEW_SIDE;
    const most = Math.min(longest, LARGEST_SIDE);
    let enough = PREVIEW_SIDE;
    while (enough < Math.min(side, most)) enough *= 2;
    if (enough <= this.#side) return;
    this.#side = enough;
    this.#load();
  }

  /** Whether what is on the canvas is the picture's present frame, and not one that it still waits to replace. */
  get isPresent() {
    return this.provenance !== null && this.frame === this.#picture?.frame;
  }

  /** The window that a change begins with. */
  get startingWindow() {
    if (this.window) return this.window;
    const [low, high] = this.preview?.range ?? [0, 255];
    const isByte = low >= 0 && high <= 255 && (this.provenance?.bit_depth ?? 8) <= 8;
    return isByte ? { center: 127.5, width: 255 } : { center: (low + high) / 2, width: Math.max(1, high - low) };
  }

  /**
   * Show this window at the screen's next frame; `picture.setWindow` ends it.
   * @param {Window} window
   */
  drag(window) {
    this.#dragged = window;
    this.window = window;
    if (this.#nextPaint) return;
    this.#nextPaint = requestAnimationFrame(() => {
      this.#nextPaint = 0;
      if (this.#dragged) this.#paint(this.#dragged, false);
    });
  }

  /** The window that was dragged; from now on the picture has the say. Null where none was. */
  letGo() {
    const dragged = this.#dragged;
    this.#dragged = null;
    return dragged;
  }

  /** Load again what failed. */
  retry() {
    this.failure = null;
    this.#wanted = "";
    this.#load();
  }

  #clear() {
    this.preview = null;
    this.provenance = null;
    this.window = null;
    this.painter = null;
    this.frame = null;
    this.failure = null;
    this.#wanted = "";
    this.#dragged = null;
    this.#side = PREVIEW_SIDE;
    this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
  }

  #key() {
    const picture = this.#picture;
    return picture && JSON.stringify([picture.frame, picture.window, picture.preset, this.#side]);
  }

  /** One at a time: who goes through a hundred frames waits for the one that is on its way, and then for the last. */
  async #load() {
    if (this.#isLoading) return;
    this.#isLoading = true;
    for (let key = this.#key(); key !== null && key !== this.#wanted; key = this.#key()) {
      this.#wanted = key;
      await this.#loadNow(/** @type {Picture} */ (this.#picture), key);
    }
    this.#isLoading = false;
  }

  /**
   * @param {Picture} picture
   * @param {string} key
   */
  async #loadNow(picture, key) {
    const isCurrent = () => picture === this.#picture && key === this.#key() && this.#wanted === key;
    const isFirst = this.preview === null;
    try {
      if (isFirst) await this.#fetchRender(picture, isCurrent);
      const { frame } = picture;
      const preview = await picture.preview();
      if (picture !== this.#picture) return;
      this.preview = preview;
      this.#previewed = picture.isSeries ? frame : preview.provenance.frame;
      if (isFirst) return this.#firstIsDone();
      this.#paintBefore();
      if (isCurrent()) await this.#fetchRender(picture, isCurrent);
    } catch (error) {
      if (isCurrent()) this.#fail(error);
    }
  }

  #firstIsDone() {
    this.painter = "server";
    this.#changed();
  }

  /**
   * @param {Picture} picture
   * @param {() => boolean} isCurrent
   */
  async #fetchRender(picture, isCurrent) {
    const { frame } = picture;
    const { blob, provenance } = await picture.rendered(this.#side);
    const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
    if (isCurrent() && !this.#dragged) this.#draw(bitmap, provenance, picture.isSeries ? frame : provenance.frame);
    bitmap.close();
  }

  /** As well as the page can, before the server's render is there. */
  #paintBefore() {
    this.provenance = /** @type {Preview} */ (this.preview).provenance;
    this.failure = null;
    const chosen = this.#dragged ?? this.#askedFor();
    const window = chosen ?? this.window;
    if (window && this.#side === PREVIEW_SIDE) this.#paint(window, !chosen && this.#isOfPercentiles);
    else this.#changed();
  }

  /** @returns {Window | null} */
  #askedFor() {
    const picture = /** @type {Picture} */ (this.#picture);
    return picture.window ?? (picture.preset ? (PRESETS.get(picture.preset) ?? null) : null);
  }

  /**
   * @param {Window} window
   * @param {boolean} isExact
   */
  #paint(window, isExact) {
    const image = this.preview?.paint(window, isExact);
    if (!image) return;
    this.#resize(image);
    this.#context.putImageData(image, 0, 0);
    this.window = window;
    this.frame = this.#previewed;
    this.painter = "page";
    this.#changed();
  }

  /**
   * @param {ImageBitmap} bitmap
   * @param {Provenance} provenance
   * @param {number} frame
   */
  #draw(bitmap, provenance, frame) {
    this.#resize(bitmap);
    this.#context.drawImage(bitmap, 0, 0);
    this.provenance = provenance;
    this.frame = frame;
    this.window = provenance.window;
    this.#isOfPercentiles = provenance.window?.source === "percentiles";
    this.painter = this.preview && "server";
    this.failure = null;
    this.#changed();
  }

  /** @param {{width: number, height: number}} size */
  #resize({ width, height }) {
    // Setting it clears it, even to the same.
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
  }

  /** @param {unknown} error */
  #fail(error) {
    this.failure = error;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

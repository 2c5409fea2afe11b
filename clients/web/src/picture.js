/** A picture that questions are asked about: a file, or the files of a series, and the way it is looked at. */
import { ApiError } from "./api.js";
import { dataUrl } from "./data_url.js";
import { fetchPreview } from "./preview.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./api.js").FilePart} Part */
/** @typedef {import("./api.js").Provenance} Provenance */
/** @typedef {import("./api.js").View} View */
/** @typedef {import("./preview.js").Preview} Preview */
/** @typedef {import("./windowing.js").Window} Window */
/** @typedef {NonNullable<View["region"]>} Region */
/** @typedef {{blob: Blob, provenance: Provenance}} Rendering */
/** @typedef {{file_id: string} | {file_data: string}} Source */

/**
 * A picture as it went with a question: it never changes, whatever becomes of the picture. `picture` is the very PNG
 * that the model saw, and `thumbnail` a blob: URL of it, which is the holder's to revoke.
 * @typedef {Readonly<{part: Part, label: string, thumbnail: string, picture: Blob, provenance: Provenance,
 *   key: string}>} Sent
 */

/** @typedef {{file: File, source: Source | null, upload: Promise<Source> | null, wasSent: boolean}} Slice */

/** Pixels of the longer side of what the page windows for itself. */
export const PREVIEW_SIDE = 1024;

/** Pixels; the server makes none larger. */
export const LARGEST_SIDE = 4096;

/** So long nobody has gone on to another frame, before the model's picture of this one is asked for. */
const REST_MS = 120;

const PREVIEWS_KEPT = 32;

const NOTHING = Object.freeze({ key: "", rendering: null });

let numPictures = 0;

/** Fires "change" whenever anything of it does. */
export class Picture extends EventTarget {
  /**
   * Begins to upload at once.
   * @param {Api} api
   * @param {File[]} files of one picture, or of a series in its order
   * @param {string} name for people
   */
  constructor(api, files, name) {
    super();
    this.name = name;
    /** @type {"uploading" | "ready" | "failed"} */
    this.state = "uploading";
    /** @type {unknown} what the server, or the connection, said; null where nothing failed */
    this.error = null;
    /** @type {Provenance | null} of the picture that the model sees */
    this.provenance = null;
    /** @type {string | null} a blob: URL of the picture that the model sees, this one's to revoke */
    this.thumbnail = null;
    this.inverted = false;
    /** @type {Slice[]} */
    this.slices = files.map((file) => ({ file, source: null, upload: null, wasSent: false }));
    /** Counted from 1; of a file with several frames it is the server's choice, until somebody chooses. */
    this.frame = (files.length + 1) >> 1;
    this.#api = api;
    this.#id = ++numPictures;
    this.#settling = this.#settle();
  }

  #api;
  #id;
  /** @type {Promise<void>} */
  #settling;
  #isFrameChosen = false;
  #isClosed = false;
  /** @type {View} */
  #look = {};
  /** @type {Blob | null} */
  #seen = null;
  /** What `provenance` and `thumbnail` belong to. */
  #seenKey = "";
  #isGrey = false;
  /** @type {{key: string, rendering: Promise<Rendering> | null}} */
  #whole = NOTHING;
  /** @type {Map<string, Promise<Preview>>} the latest last */
  #previews = new Map();

  /** How many there are to go through: of the series, or of the one file. */
  get frames() {
    return this.isSeries ? this.slices.length : (this.provenance?.frames ?? 1);
  }

  get isSeries() {
    return this.slices.length > 1;
  }

  /** @returns {Window | null} as asked for */
  get window() {
    return this.#look.window ?? null;
  }

  /** @returns {string | null} */
  get preset() {
    return this.#look.preset ?? null;
  }

  /** @returns {Region | null} */
  get region() {
    return this.#look.region ?? null;
  }

  /** @returns {string[]} ids of the slices that are uploaded */
  get uploads() {
    return this.slices.flatMap(({ source }) => (source && "file_id" in source ? [source.file_id] : []));
  }

  /** The same as long as the model would see the same. */
  get key() {
    return `${this.#id}:${this.isSeries ? this.frame : 1}:${JSON.stringify(this.#view())}`;
  }

  /** Its name, and which of several frames. */
  get label() {
    return this.frames > 1 ? `${this.name} ${this.frame}/${this.frames}` : this.name;
  }

  /** Whether `provenance` and `thumbnail` are of the present view. */
  get isSettled() {
    return this.#seenKey === this.key;
  }

  /**
   * Go to a frame, counted from 1.
   * @param {number} frame
   */
  goTo(frame) {
    const there = Math.min(Math.max(1, Math.round(frame)), this.frames);
    if (there === this.frame) return;
    this.frame = there;
    this.#isFrameChosen = true;
    this.#changeView({}, REST_MS);
  }

  /**
   * Look through this window; null is the file's own.
   * @param {Window | null} window
   */
  setWindow(window) {
    this.#changeView({ window: window ?? undefined, preset: undefined });
  }

  /** @param {string} preset a name of the server's, for pictures in Hounsfield units */
  setPreset(preset) {
    this.#changeView({ window: undefined, preset });
  }

  /** @param {Region | null} region null is all of it */
  setRegion(region) {
    this.#changeView({ region: region ?? undefined });
  }

  /** On the screen only: the model sees no difference. */
  invert() {
    this.inverted = !this.inverted;
    this.#changed();
  }

  /** Try again what failed. */
  retry() {
    this.#previews.clear();
    this.state = "uploading";
    this.error = null;
    this.#changed();
    this.#settleSoon(0);
  }

  /** Resolves when the present view is seen, or has failed. */
  async settled() {
    let settling;
    do await (settling = this.#settling);
    while (settling !== this.#settling);
  }

  /**
   * What goes into a message. Throws before the file is there: ask `state`.
   * @returns {Part}
   */
  part() {
    return this.#part(this.#view());
  }

  /**
   * What goes with a question, kept as it is now. Throws before the present view is seen: ask `isSettled`.
   * @returns {Sent}
   */
  sent() {
    if (!this.#seen || !this.provenance || !this.isSettled) throw new Error("The picture is not there yet.");
    this.#slice.wasSent = true;
    return Object.freeze({
      part: this.part(),
      label: this.label,
      thumbnail: URL.createObjectURL(this.#seen),
      picture: this.#seen,
      provenance: this.provenance,
      key: this.key,
    });
  }

  /** The very picture that the model sees, as far as it is there: see `isSettled`. */
  get seen() {
    return this.#seen;
  }

  /**
   * The server's own render of the present window, without the region's cut.
   * @param {number} side pixels of the longer side
   * @returns {Promise<Rendering>}
   */
  async rendered(side = PREVIEW_SIDE) {
    await this.#uploaded(this.#slice);
    return this.#renderWhole(this.#part({ ...this.#view(), region: undefined }), side);
  }

  /**
   * What can be windowed here, of the present frame.
   * @returns {Promise<Preview>}
   */
  preview() {
    const key = this.isSeries || this.#isFrameChosen ? String(this.frame) : "unchosen";
    const known = this.#previews.get(key) ?? this.#fetchPreview();
    this.#previews.delete(key);
    this.#previews.set(key, known);
    known.catch(() => this.#previews.delete(key));
    for (const oldest of this.#previews.keys()) {
      if (this.#previews.size <= PREVIEWS_KEPT) break;
      this.#previews.delete(oldest);
    }
    return known;
  }

  /** It leaves the page: the server forgets what no question needs. */
  close() {
    this.#isClosed = true;
    if (this.thumbnail) URL.revokeObjectURL(this.thumbnail);
    this.#previews.clear();
    for (const slice of this.slices) void this.#forget(slice);
  }

  get #slice() {
    return this.slices[this.isSeries ? this.frame - 1 : 0];
  }

  /** @returns {View} */
  #view() {
    return this.#isFrameChosen && !this.isSeries ? { frame: this.frame, ...this.#look } : this.#look;
  }

  /**
   * @param {View} view
   * @returns {Part}
   */
  #part(view) {
    const { source } = this.#slice;
    if (!source) throw new Error("The picture is not there yet.");
    const said = Object.fromEntries(Object.entries(view).filter(([, value]) => value !== undefined));
    return { type: "file", file: Object.keys(said).length ? { ...source, view: said } : { ...source } };
  }

  /**
   * @param {View} look
   * @param {number} [rest]
   */
  #changeView(look, rest = 0) {
    const next = { ...this.#look, ...look };
    const { window, preset, region } = next;
    const key = this.#seenKey;
    this.#look = { ...(window && { window }), ...(preset && { preset }), ...(region && { region }) };
    if (key === this.key && this.state === "ready") return this.#changed();
    if (!this.#slice.source) this.state = "uploading";
    this.#settleSoon(rest);
    this.#changed();
  }

  /** @param {number} rest milliseconds */
  #settleSoon(rest) {
    const key = this.key;
    this.#settling = new Promise((resolve) => setTimeout(resolve, rest)).then(() =>
      key === this.key ? this.#settle() : undefined,
    );
  }

  async #settle() {
    const { key } = this;
    try {
      const rendering = await this.#render();
      if (key === this.key && !this.#isClosed) this.#see(rendering);
    } catch (error) {
      if (key === this.key && !this.#isClosed) this.#fail(error);
    }
  }

  /** An upload that the server has forgotten meanwhile is sent again, once. */
  async #render() {
    const slice = this.#slice;
    await this.#uploaded(slice);
    try {
      return await this.#api.render(this.part());
    } catch (error) {
      if (this.#isClosed || codeOf(error) !== "file_not_found") throw error;
    }
    slice.upload = null;
    await this.#uploaded(slice);
    return this.#api.render(this.part());
  }

  /** @param {Rendering} rendering */
  #see({ blob, provenance }) {
    if (this.thumbnail) URL.revokeObjectURL(this.thumbnail);
    this.#seen = blob;
    this.thumbnail = URL.createObjectURL(blob);
    this.provenance = provenance;
    if (!this.isSeries) this.frame = provenance.frame;
    this.#seenKey = this.key;
    this.state = "ready";
    this.error = null;
    this.#changed();
  }

  /** @param {unknown} error */
  #fail(error) {
    this.state = "failed";
    this.error = error;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  /**
   * Once, whoever asks first.
   * @param {Slice} slice
   * @returns {Promise<Source>}
   */
  #uploaded(slice) {
    slice.upload ??= this.#upload(slice);
    return slice.upload;
  }

  /** @param {Slice} slice */
  async #upload(slice) {
    try {
      slice.source = await this.#keep(slice.file);
    } catch (error) {
      slice.upload = null;
      throw error;
    }
    if (this.#isClosed) void this.#forget(slice);
    return slice.source;
  }

  /**
   * Where the server keeps no uploads, the file goes along with every question.
   * @param {File} file
   * @returns {Promise<Source>}
   */
  async #keep(file) {
    try {
      return { file_id: (await this.#api.upload(file)).id };
    } catch (error) {
      if (codeOf(error) !== "uploads_off") throw error;
      return { file_data: await dataUrl(file) };
    }
  }

  /** @param {Slice} slice */
  async #forget({ source, wasSent }) {
    if (wasSent || !source || !("file_id" in source)) return;
    // The server forgets it by itself, later.
    await this.#api.remove(source.file_id).catch(() => undefined);
  }

  /** @returns {Promise<Preview>} */
  async #fetchPreview() {
    const view = this.#isFrameChosen && !this.isSeries ? { view: { frame: this.frame } } : {};
    const source = await this.#uploaded(this.#slice);
    /** @type {Part} */
    const part = { type: "file", file: { ...source, ...view } };
    const preview = await fetchPreview(
      (format) =>
        format === "png"
          ? this.#renderWhole(part, PREVIEW_SIDE)
          : this.#api.render(part, { size: PREVIEW_SIDE, format }),
      this.#isGrey,
    );
    this.#isGrey = preview.isGrey;
    return preview;
  }

  /**
   * The latest is remembered: two ask for it.
   * @param {Part} part
   * @param {number} side
   * @returns {Promise<Rendering>}
   */
  #renderWhole(part, side) {
    const size = Math.min(Math.max(1, Math.ceil(side)), LARGEST_SIDE);
    const key = JSON.stringify([part, size]);
    if (this.#whole.key !== key) {
      const rendering = this.#api.render(part, { size, format: "png" });
      this.#whole = { key, rendering };
      rendering.catch(() => (this.#whole = NOTHING));
    }
    return /** @type {Promise<Rendering>} */ (this.#whole.rendering);
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof ApiError ? error.code : "";
}

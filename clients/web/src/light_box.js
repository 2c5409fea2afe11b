/** The pictures that lie on the page: which one is looked at, and which go along with the next question. */

/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {import("./conversation.js").Conversation} Conversation */

/** Fires "change" whenever anything of it, or of one of its pictures, does. */
export class LightBox extends EventTarget {
  /** How many lie here at most; what the model takes, once that is known. */
  most = 6;
  /** @type {Picture | null} the one that is looked at */
  current = null;
  /** Whether files that were given are still being read: their pictures are to come. */
  isReading = false;

  /** @type {Picture[]} */
  #pictures = [];
  /** Views that their reader does not want to send. */
  #leftOut = new Set();

  constructor() {
    super();
    this.changed = () => this.dispatchEvent(new Event("change"));
  }

  /** @returns {readonly Picture[]} */
  get pictures() {
    return this.#pictures;
  }

  /**
   * Lay pictures down, and look at the first of them.
   * @param {readonly Picture[]} pictures
   */
  add(pictures) {
    for (const picture of pictures) picture.addEventListener("change", this.changed);
    this.#pictures = [...this.#pictures, ...pictures];
    this.current = pictures[0] ?? this.current;
    this.changed();
  }

  /** @param {boolean} isReading */
  read(isReading) {
    this.isReading = isReading;
    this.changed();
  }

  /** @param {Picture} picture */
  choose(picture) {
    this.current = picture;
    this.changed();
  }

  /** @param {Picture} picture */
  remove(picture) {
    const place = this.#pictures.indexOf(picture);
    this.#pictures = this.#pictures.filter((other) => other !== picture);
    if (this.current === picture) this.current = this.#pictures[place] ?? this.#pictures.at(-1) ?? null;
    this.#close(picture);
    this.changed();
  }

  /** Take all away. */
  clear() {
    for (const picture of this.#pictures) this.#close(picture);
    this.#pictures = [];
    this.#leftOut.clear();
    this.current = null;
    this.changed();
  }

  /**
   * Those that go with the next question: what the model has not seen as it is now looked at.
   * @param {Conversation} conversation
   */
  going(conversation) {
    return this.#unsent(conversation).filter((picture) => !this.#leftOut.has(picture.key));
  }

  /**
   * How many do not go, though the model has not seen them.
   * @param {Conversation} conversation
   */
  numLeftOut(conversation) {
    return this.#unsent(conversation).filter((picture) => this.#leftOut.has(picture.key)).length;
  }

  /**
   * Do not send a view, until it is changed or taken along again.
   * @param {string} key a picture's
   */
  leaveOut(key) {
    this.#leftOut.add(key);
    this.changed();
  }

  /** Send all again that was left out. */
  takeAlong() {
    this.#leftOut.clear();
    this.changed();
  }

  /** @param {Conversation} conversation */
  #unsent(conversation) {
    return this.#pictures.filter((picture) => !conversation.hasSent(picture.key));
  }

  /** @param {Picture} picture */
  #close(picture) {
    picture.removeEventListener("change", this.changed);
    picture.close();
  }
}

/** A question that was asked and has not gone out yet: its pictures may still be on their way. */

/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {import("./picture.js").Sent} Sent */

export class Draft {
  /** @type {readonly {picture: Picture, key: string}[]} */
  #meant;

  /**
   * @param {string} question
   * @param {readonly Picture[]} pictures those that go along, as they are looked at now
   */
  constructor(question, pictures) {
    this.question = question;
    this.#meant = pictures.map((picture) => ({ picture, key: picture.key }));
  }

  /** Resolves when each picture is seen, or has failed. */
  async settled() {
    await Promise.all(this.#meant.map(({ picture }) => picture.settled()));
  }

  /**
   * What goes out: of what was meant, that which still goes and is as it was. Never what took its place meanwhile.
   * @param {readonly Picture[]} kept all that lie on the page
   * @param {readonly Picture[]} going those that go with the next question
   * @returns {"failed" | "changed" | Sent[]}
   */
  pictures(kept, going) {
    const meant = this.#meant.filter(({ picture, key }) => going.includes(picture) || hasChanged(picture, key, kept));
    if (meant.some(({ picture, key }) => hasChanged(picture, key, kept))) return "changed";
    if (meant.some(({ picture }) => picture.state === "failed")) return "failed";
    return meant.every(({ picture }) => isThere(picture)) ? meant.map(({ picture }) => picture.sent()) : "changed";
  }
}

/**
 * @param {Picture} picture
 * @param {string} key as it was
 * @param {readonly Picture[]} kept
 */
function hasChanged(picture, key, kept) {
  return kept.includes(picture) && picture.key !== key;
}

/** @param {Picture} picture */
function isThere(picture) {
  return picture.state === "ready" && picture.isSettled;
}

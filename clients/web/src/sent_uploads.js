/** What of the server's uploads went with questions: deleted as soon as nothing on the page can need it. */

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./picture.js").Sent} Sent */

export class SentUploads {
  /** @param {Pick<Api, "remove">} api */
  constructor(api) {
    this.#api = api;
  }

  #api;
  /** @type {Set<Sent>} of the turns that there are */
  #sent = new Set();
  /** Ids of turns that are gone, which pictures on the page may have yet. */
  #left = new Set();

  /**
   * Delete what neither a turn nor a picture needs any more, and let its thumbnails go.
   * @param {readonly Sent[]} sent all that the turns have
   * @param {readonly string[]} held ids of the pictures that lie on the page
   */
  keep(sent, held) {
    for (const one of this.#sent) if (!sent.includes(one)) this.#letGo(one);
    this.#sent = new Set(sent);
    const needed = new Set([...sent.flatMap(idOf), ...held]);
    for (const id of [...this.#left].filter((one) => !needed.has(one))) {
      this.#left.delete(id);
      // Where it fails, the server forgets it by itself, later.
      void this.#api.remove(id).catch(() => undefined);
    }
  }

  /** @param {Sent} sent */
  #letGo(sent) {
    URL.revokeObjectURL(sent.thumbnail);
    for (const id of idOf(sent)) this.#left.add(id);
  }
}

/**
 * @param {Sent} sent
 * @returns {string[]}
 */
function idOf({ part }) {
  return "file_id" in part.file ? [part.file.file_id] : [];
}

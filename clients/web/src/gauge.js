/** How full the context is: measured when something came or went, and not while an answer streams. */

import { measured, numToDrop } from "./context.js";

/** @typedef {import("./api.js").Model} Model */
/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./picture.js").Picture} Picture */

/** Fires "change". */
export class Gauge extends EventTarget {
  /** @type {import("./context.js").Context | null} null where there is nothing to measure yet */
  context = null;
  /** The oldest turns that would have to go for the next question. */
  numToDrop = 0;

  /** @type {import("./api.js").Api} */
  #api;
  #known = "";
  /** @type {AbortController | null} */
  #measuring = null;

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    super();
    this.#api = api;
  }

  /**
   * Measure again, if anything but the question's own text is new: every measuring is a request.
   * @param {Model | null} model
   * @param {Conversation} conversation
   * @param {readonly Picture[]} going the pictures that go with the next question
   * @param {string} question as far as it is written
   */
  look(model, conversation, going, question) {
    if (!model || conversation.busy) return;
    const next = { question, pictures: going.filter(({ state }) => state === "ready") };
    const now = [...conversation.standing.map(({ id }) => id), "", ...next.pictures.map(({ key }) => key)].join("\n");
    if (now === this.#known) return;
    this.#known = now;
    void this.#measure(model, conversation, next);
  }

  /**
   * @param {Model} model
   * @param {Conversation} conversation
   * @param {{question: string, pictures: Picture[]}} next
   */
  async #measure(model, conversation, next) {
    this.#measuring?.abort();
    const measuring = new AbortController();
    this.#measuring = measuring;
    const said = conversation.standing;
    if (said.length + next.pictures.length === 0) {
      this.#tell(null, 0);
      return;
    }
    // A warning does not outlive its reason, not even as long as the server takes to count.
    if (this.context && this.context.state !== "room") this.#tell(null, 0);
    const draft = { question: next.question, pictures: next.pictures.map((picture) => ({ part: picture.part() })) };
    try {
      const context = await measured(this.#api, model, conversation.messages(draft), measuring.signal);
      this.#tell({ ...context, numTurns: said.length }, numToDrop(model, said, next));
    } catch {
      // A newer measuring took its place.
    }
  }

  /**
   * @param {import("./context.js").Context | null} context
   * @param {number} numTurnsToDrop
   */
  #tell(context, numTurnsToDrop) {
    this.context = context;
    this.numToDrop = numTurnsToDrop;
    this.dispatchEvent(new Event("change"));
  }
}

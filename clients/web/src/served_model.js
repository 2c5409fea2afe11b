/** Which model is served: asked, and asked again while the server does not say. */

import { ApiError } from "./api.js";

/** @typedef {import("./api.js").Model} Model */

/** What another key may mend. */
const NEEDS_KEY = new Set(["invalid_api_key", "insufficient_scope"]);

const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;

/** @param {ApiError | null | undefined} error */
export function needsKey(error) {
  return NEEDS_KEY.has(error?.code ?? "");
}

/** Tells by the event "change" when a model is told, or another key needed. */
export class ServedModel extends EventTarget {
  /** @type {Model | null} the last that was told; null until then */
  model = null;
  /** Whether it is told only to who has another key. */
  needsKey = false;

  /** @type {{models: () => Promise<Model[]>}} */
  #api;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #next;
  #restMs = FIRST_MS;

  /** @param {{models: () => Promise<Model[]>}} api */
  constructor(api) {
    super();
    this.#api = api;
  }

  /** Ask now, and again, later each time, until it is told or another key is needed. */
  async ask() {
    this.stop();
    await this.#ask();
  }

  /** Ask no more. */
  stop() {
    clearTimeout(this.#next);
    this.#restMs = FIRST_MS;
  }

  async #ask() {
    clearTimeout(this.#next);
    try {
      [this.model] = await this.#api.models();
      this.needsKey = false;
    } catch (error) {
      const known = error instanceof ApiError ? error : null;
      if (!needsKey(known)) return this.#askLater(known?.retryAfterS ?? 0);
      this.needsKey = true;
    }
    this.dispatchEvent(new Event("change"));
  }

  /** @param {number} retryAfterS */
  #askLater(retryAfterS) {
    clearTimeout(this.#next);
    this.#next = setTimeout(() => void this.#ask(), Math.max(this.#restMs, retryAfterS * 1000));
    this.#restMs = Math.min(2 * this.#restMs, LONGEST_MS);
  }
}

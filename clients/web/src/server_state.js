/** Whether the server takes questions, asked again and again, so that the page can say so before a question fails. */

/**
 * What the page needs to know. "unknown" until the first answer; "unreachable" where none came.
 * @typedef {"unknown" | "ok" | "starting" | "draining" | "failed" | "unreachable"} ServerStatus
 */

/** @typedef {{readiness: () => Promise<{status: ServerStatus, phase: string, reason: string | null}>}} Health */

const WELL_MS = 10_000;
const UNWELL_MS = 2_000;

/** Tells of each change by the event "change". */
export class ServerState extends EventTarget {
  /** @type {ServerStatus} */
  status = "unknown";
  /** Where a start stands, in the server's words. */
  phase = "";

  /** @type {Health} */
  #api;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #next;

  /** @param {Health} api */
  constructor(api) {
    super();
    this.#api = api;
  }

  /** Ask now, and from then on every ten seconds, or every two while something is wrong. */
  async watch() {
    clearTimeout(this.#next);
    const { status, phase } = await this.#asked();
    const isNew = status !== this.status || phase !== this.phase;
    this.status = status;
    this.phase = phase;
    clearTimeout(this.#next);
    this.#next = setTimeout(() => void this.watch(), status === "ok" ? WELL_MS : UNWELL_MS);
    if (isNew) this.dispatchEvent(new Event("change"));
  }

  /** Ask no more. */
  stop() {
    clearTimeout(this.#next);
  }

  /** @returns {Promise<{status: ServerStatus, phase: string}>} */
  async #asked() {
    try {
      return await this.#api.readiness();
    } catch {
      return { status: "unreachable", phase: "" };
    }
  }
}

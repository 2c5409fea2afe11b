/** A conversation: its turns, and the one answer that may be on its way. It lives in memory and goes with the tab. */

import { ApiError } from "./api.js";

/** @typedef {import("./picture.js").Sent} Sent */
/** @typedef {import("./api.js").Message} Message */
/** @typedef {import("./api.js").Chunk} Chunk */
/** @typedef {import("./api.js").Provenance} Provenance */
/** @typedef {"waiting" | "streaming" | "done" | "length" | "stopped" | "failed"} AnswerState */

/**
 * What the model said. A new object for each change, so that who shows it sees that it changed.
 * @typedef {object} Answer
 * @property {string} text never trimmed: it goes back to the model as it came
 * @property {AnswerState} state
 * @property {ApiError | null} error why it failed
 * @property {number | null} ttftMs from asking to the first text, as the reader saw it
 * @property {import("./api.js").Usage | null} usage
 * @property {readonly Provenance[]} images what was done to each of the turn's own pictures, as the server says it
 */

/**
 * A question with its pictures, and the answer.
 * @typedef {object} Turn
 * @property {string} id
 * @property {string} question
 * @property {readonly Sent[]} pictures
 * @property {Answer} answer
 */

/**
 * What of a turn is sent.
 * @typedef {{question: string, pictures: readonly Pick<Sent, "part">[]}} Asked
 */

/**
 * What is asked for answers: the `Api`, or a test's.
 * @typedef {object} Chat
 * @property {(body: Record<string, unknown>, signal: AbortSignal) => AsyncIterable<Chunk>} chat the chunks of a
 *   stream; it throws where that does not end as it should
 */

/** @type {Answer} */
const WAITING = Object.freeze({ text: "", state: "waiting", error: null, ttftMs: null, usage: null, images: [] });

/** Tells of each change by the event "change". */
export class Conversation extends EventTarget {
  /** The name under which the model is served; set before the first question. */
  model = "";

  /** @type {Chat} */
  #chat;
  /** @type {Turn[]} */
  #turns = [];
  /** @type {AbortController | null} */
  #running = null;
  #numAsked = 0;

  /** @param {Chat} chat */
  constructor(chat) {
    super();
    this.#chat = chat;
  }

  /** @returns {readonly Turn[]} the oldest first */
  get turns() {
    return this.#turns;
  }

  /** @returns {readonly Turn[]} those that later questions build on */
  get standing() {
    return this.#turns.filter(stands);
  }

  /** Whether an answer is on its way. */
  get busy() {
    return this.#running !== null;
  }

  /**
   * Ask, and resolve when the answer has ended, however it did: its state says how.
   * @param {string} question
   * @param {readonly Sent[]} pictures those that go along for the first time
   */
  async ask(question, pictures) {
    this.#numAsked += 1;
    const turn = { id: `turn-${this.#numAsked}`, question, pictures: Object.freeze([...pictures]), answer: WAITING };
    this.#turns = [...this.#turns, turn];
    await this.#answer(turn);
  }

  /** End the answer that is on its way. What was said of it stays. */
  stop() {
    this.#running?.abort();
  }

  /**
   * Ask a turn's question again. Turns after it go: they answered to what is no longer there.
   * @param {Turn} turn
   */
  async regenerate(turn) {
    this.#turns = [...this.#before(turn), turn];
    await this.#answer(turn);
  }

  /**
   * Ask another question in a turn's place, with its pictures. Turns after it go.
   * @param {Turn} turn
   * @param {string} question
   */
  async edit(turn, question) {
    this.#turns = this.#before(turn);
    await this.ask(question, turn.pictures);
  }

  /**
   * Ask again what failed.
   * @param {Turn} turn
   */
  async retry(turn) {
    await this.regenerate(turn);
  }

  /**
   * Take a turn out of the conversation, and its pictures with it. Not one whose answer is on its way.
   * @param {Turn} turn
   */
  drop(turn) {
    if (isOnItsWay(turn.answer)) return;
    this.#turns = this.#turns.filter((other) => other !== turn);
    this.#changed();
  }

  /** Forget everything. */
  clear() {
    this.#running?.abort();
    this.#running = null;
    this.#turns = [];
    this.#changed();
  }

  /**
   * The conversation as the API takes it: the turns that have an answer, and a question that is not asked yet.
   * @param {Asked | null} draft
   * @returns {Message[]}
   */
  messages(draft = null) {
    const said = this.standing.flatMap((turn) => [asked(turn), answered(turn)]);
    return draft === null ? said : [...said, asked(draft)];
  }

  /**
   * Whether the model has, or is about to have, a picture in this very view.
   * @param {string} key
   */
  hasSent(key) {
    const kept = this.#turns.filter((turn) => stands(turn) || isOnItsWay(turn.answer));
    return kept.some((turn) => turn.pictures.some((picture) => picture.key === key));
  }

  /** @param {Turn} turn */
  #before(turn) {
    return this.#turns.slice(0, this.#turns.indexOf(turn));
  }

  /** @param {Turn} turn */
  #body(turn) {
    const said = this.#before(turn).filter(stands).flatMap((before) => [asked(before), answered(before)]);
    const messages = [...said, asked(turn)];
    return { model: this.model, messages, stream: true, stream_options: { include_usage: true } };
  }

  /** @param {Turn} turn */
  async #answer(turn) {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    this.#write(running, turn, WAITING);
    try {
      const end = await this.#stream(running, turn);
      this.#write(running, turn, { state: running.signal.aborted ? "stopped" : end });
    } catch (error) {
      this.#write(running, turn, running.signal.aborted ? { state: "stopped" } : failed(error));
    }
    if (this.#running === running) {
      this.#running = null;
      this.#changed();
    }
  }

  /**
   * @param {AbortController} running
   * @param {Turn} turn
   * @returns {Promise<"done" | "length">}
   */
  async #stream(running, turn) {
    const began = performance.now();
    /** @type {"done" | "length"} */
    let end = "done";
    for await (const chunk of this.#chat.chat(this.#body(turn), running.signal)) {
      if (running.signal.aborted) break;
      this.#write(running, turn, taken(turn, chunk, performance.now() - began));
      if (chunk.choices?.[0]?.finish_reason === "length") end = "length";
    }
    return end;
  }

  /**
   * Write to a turn's answer; only who runs now may.
   * @param {AbortController} running
   * @param {Turn} turn
   * @param {Partial<Answer>} changes
   */
  #write(running, turn, changes) {
    if (this.#running !== running) return;
    turn.answer = { ...turn.answer, ...changes };
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * Whether an answer is still expected to change.
 * @param {Answer} answer
 */
export function isOnItsWay(answer) {
  return answer.state === "waiting" || answer.state === "streaming";
}

/**
 * @param {unknown} error
 * @returns {Partial<Answer>}
 */
function failed(error) {
  return { state: "failed", error: error instanceof ApiError ? error : new ApiError({ code: "unknown" }) };
}

/**
 * Whether later questions build on a turn. What failed was never said; what was cut or stopped was said so far.
 * @param {Turn} turn
 */
function stands({ answer }) {
  return answer.state === "done" || answer.state === "length" || (answer.state === "stopped" && answer.text !== "");
}

/**
 * @param {Asked} turn
 * @returns {Message}
 */
function asked({ question, pictures }) {
  return { role: "user", content: [...pictures.map((picture) => picture.part), { type: "text", text: question }] };
}

/**
 * @param {Turn} turn
 * @returns {Message}
 */
function answered({ answer }) {
  return { role: "assistant", content: answer.text };
}

/**
 * What a chunk adds to a turn's answer.
 * @param {Turn} turn
 * @param {Chunk} chunk
 * @param {number} elapsedMs
 * @returns {Partial<Answer>}
 */
function taken({ answer, pictures }, chunk, elapsedMs) {
  /** @type {Partial<Answer>} */
  const changes = {};
  const piece = chunk.choices?.[0]?.delta?.content ?? "";
  if (piece !== "") {
    changes.text = answer.text + piece;
    changes.state = "streaming";
    changes.ttftMs = answer.ttftMs ?? elapsedMs;
  }
  if (chunk.usage) changes.usage = chunk.usage;
  // The server tells of all the request's images, those of earlier turns first.
  if (chunk.images) changes.images = pictures.length > 0 ? chunk.images.slice(-pictures.length) : [];
  return changes;
}

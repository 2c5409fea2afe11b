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
 * @property {Trouble | null} trouble why another answer, which was to take this one's place, did not come
 */

/** @typedef {{question: string, error: ApiError}} Trouble */

/**
 * A question with its pictures, and the answer.
 * @typedef {object} Turn
 * @property {string} id
 * @property {string} question
 * @property {readonly Sent[]} pictures
 * @property {Answer} answer
 */

/**
 * What a new answer is to take the place of. It stays until the first words are there, as they may never be.
 * @typedef {{turns: Turn[], turn: Turn, answer: Answer}} Held
 */

/** @typedef {{turn: Turn, held: Held | null, controller: AbortController}} Run */

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
const WAITING = Object.freeze({
  text: "",
  state: "waiting",
  error: null,
  ttftMs: null,
  usage: null,
  images: [],
  trouble: null,
});

/** Tells of each change by the event "change". */
export class Conversation extends EventTarget {
  /** The name under which the model is served; set before the first question. */
  model = "";

  /** @type {Chat} */
  #chat;
  /** @type {Turn[]} */
  #turns = [];
  /** @type {Run | null} */
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

  /** @returns {readonly Turn[]} those, and what may yet come back */
  get kept() {
    return [...new Set([...this.#turns, ...(this.#running?.held?.turns ?? [])])];
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
   * @returns {Promise<ApiError | null>} why it failed, if it did
   */
  async ask(question, pictures) {
    this.#interrupt();
    const turn = this.#newTurn(question, pictures);
    this.#turns = [...this.#turns, turn];
    return this.#answer(turn, null);
  }

  /** End the answer that is on its way. What was said of it stays. */
  stop() {
    this.#running?.controller.abort();
  }

  /**
   * Ask a turn's question again. Turns after it go: they answered to what is no longer there. Where no answer comes,
   * all is as it was.
   * @param {Turn} turn
   */
  async regenerate(turn) {
    this.#interrupt();
    const held = this.#held(turn);
    this.#turns = [...this.#before(turn), turn];
    return this.#answer(turn, held);
  }

  /**
   * Ask another question in a turn's place, with its pictures. Turns after it go, once an answer comes.
   * @param {Turn} turn
   * @param {string} question
   */
  async edit(turn, question) {
    this.#interrupt();
    const held = this.#held(turn);
    const other = this.#newTurn(question, turn.pictures);
    this.#turns = [...this.#before(turn), other];
    return this.#answer(other, held);
  }

  /**
   * Ask again what failed.
   * @param {Turn} turn
   */
  async retry(turn) {
    const question = turn.answer.trouble?.question ?? turn.question;
    return question === turn.question ? this.regenerate(turn) : this.edit(turn, question);
  }

  /**
   * Take a turn out of the conversation, and its pictures with it. Not while an answer is on its way.
   * @param {Turn} turn
   */
  drop(turn) {
    if (this.busy) return;
    this.#turns = this.#turns.filter((other) => other !== turn);
    this.#changed();
  }

  /** Forget everything. */
  clear() {
    this.#running?.controller.abort();
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
    const had = this.kept.filter((turn) => stands(turn) || isOnItsWay(turn.answer));
    return had.some((turn) => turn.pictures.some((picture) => picture.key === key));
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

  /**
   * @param {string} question
   * @param {readonly Sent[]} pictures
   * @returns {Turn}
   */
  #newTurn(question, pictures) {
    this.#numAsked += 1;
    return { id: `turn-${this.#numAsked}`, question, pictures: Object.freeze([...pictures]), answer: WAITING };
  }

  /**
   * @param {Turn} turn
   * @returns {Held | null} null where nothing is lost with it
   */
  #held(turn) {
    const isLost = turn.answer.state === "failed" && turn === this.#turns.at(-1);
    return isLost ? null : { turns: this.#turns, turn, answer: turn.answer };
  }

  /** Another question takes the place of the answer that is on its way. */
  #interrupt() {
    if (!this.#running) return;
    this.#running.controller.abort();
    this.#end(this.#running, { state: "stopped" });
  }

  /**
   * @param {Turn} turn
   * @param {Held | null} held
   * @returns {Promise<ApiError | null>}
   */
  async #answer(turn, held) {
    const running = { turn, held, controller: new AbortController() };
    this.#running = running;
    this.#write(running, WAITING);
    const end = await this.#ending(running);
    this.#end(running, end);
    return end.error ?? null;
  }

  /**
   * @param {Run} running
   * @returns {Promise<Partial<Answer>>}
   */
  async #ending(running) {
    const { signal } = running.controller;
    try {
      const state = await this.#stream(running);
      return { state: signal.aborted ? "stopped" : state };
    } catch (error) {
      return signal.aborted ? { state: "stopped" } : failed(error);
    }
  }

  /**
   * @param {Run} running
   * @returns {Promise<"done" | "length">}
   */
  async #stream(running) {
    const { turn, controller } = running;
    const began = performance.now();
    let reason = null;
    for await (const chunk of this.#chat.chat(this.#body(turn), controller.signal)) {
      if (controller.signal.aborted) break;
      this.#write(running, taken(turn, chunk, performance.now() - began));
      reason = chunk.choices?.[0]?.finish_reason ?? reason;
    }
    // What ends without a reason is not known to be whole.
    if (reason === null) throw new ApiError({ code: "cut", status: 200 });
    return reason === "length" ? "length" : "done";
  }

  /**
   * Write to the answer; only who runs now may.
   * @param {Run} running
   * @param {Partial<Answer>} changes
   */
  #write(running, changes) {
    if (this.#running !== running) return;
    const { turn } = running;
    turn.answer = { ...turn.answer, ...changes };
    if (turn.answer.state !== "waiting") running.held = null;
    this.#changed();
  }

  /**
   * @param {Run} running
   * @param {Partial<Answer>} end
   */
  #end(running, end) {
    if (this.#running !== running) return;
    if (running.held && end.state !== "done" && end.state !== "length") this.#putBack(running, running.held, end);
    else this.#write(running, end);
    this.#running = null;
    this.#changed();
  }

  /**
   * @param {Run} running
   * @param {Held} held
   * @param {Partial<Answer>} end
   */
  #putBack(running, { turns, turn, answer }, { error }) {
    this.#turns = turns;
    turn.answer = { ...answer, trouble: error ? { question: running.turn.question, error } : null };
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

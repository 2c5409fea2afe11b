/** The conversation on the page: its turns, or what to do on a first visit. Keeps the newest words in sight. */
import { LitElement, css, html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import "./chooser.js";
import { isOnItsWay } from "./conversation.js";
import { look } from "./look.js";
import "./message.js";
import { t, Words } from "./words.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./conversation.js").Turn} Turn */

/** @type {readonly import("./words.js").Key[]} */
const EXAMPLES = ["chat.example_kind", "chat.example_describe", "chat.example_abnormal", "chat.example_differential"];

/** Pixels from the end within which a reader is taken to read along. */
const NEAR = 60;

const viewStyle = css`
  :host {
    position: relative;
    display: block;
    min-height: 0;
  }

  .turns {
    position: relative;
    height: 100%;
    overflow-y: auto;
    overscroll-behavior: contain;
    padding: 0 1.25rem;
    scrollbar-width: thin;
    scrollbar-color: var(--edge) transparent;
  }

  .turns:focus-visible {
    outline-offset: -2px;
  }

  .first {
    max-width: 34rem;
    margin: 0 auto;
    padding: clamp(1rem, 8vh, 5rem) 0 1.5rem;
  }

  h2 {
    margin: 0 0 0.6rem;
    font-size: 1.25rem;
    font-weight: 600;
    letter-spacing: -0.005em;
  }

  ol {
    margin: 0 0 1.6rem;
    padding-left: 1.2rem;
    color: var(--muted);
  }

  ol li {
    padding: 0.1rem 0;
  }

  h3 {
    margin: 0 0 0.4rem;
    color: var(--muted);
    font-size: var(--small);
    font-weight: 600;
  }

  /* A phone's, whose pictures are on the other pane. */
  huatuo-chooser {
    display: none;
  }

  @media (max-width: 40rem), (max-height: 32rem) and (max-width: 60rem) {
    huatuo-chooser {
      display: inline-flex;
      margin-bottom: 1.4rem;
    }
  }

  .examples {
    margin: 0;
    padding: 0;
    list-style: none;
  }

  .examples li {
    border-top: 1px solid var(--line);
  }

  .examples li:last-child {
    border-bottom: 1px solid var(--line);
  }

  .examples button {
    justify-content: flex-start;
    width: 100%;
    padding: 0.6rem 0.5rem;
    border-radius: 0;
    font-size: 0.9375rem;
    line-height: 1.35;
    text-align: left;
    white-space: normal;
  }

  .to-end {
    position: absolute;
    right: 1.25rem;
    bottom: 0.6rem;
    border-color: var(--edge);
    background: var(--panel);
  }
`;

/**
 * `conversation`; `most`: how many images it may hold; `busy`: nothing can be asked now. Fires "example" with a
 * question; its messages' events pass through.
 */
export class ConversationView extends LitElement {
  static properties = {
    conversation: { attribute: false },
    most: { type: Number },
    busy: { type: Boolean },
    readsAlong: { state: true },
  };

  static styles = [look, viewStyle];

  constructor() {
    super();
    /** @type {Conversation | null} */
    this.conversation = null;
    this.most = 6;
    this.busy = false;
    this.readsAlong = true;
    this.words = new Words(this);
    this.changed = () => this.requestUpdate();
  }

  /** @param {Map<string, unknown>} changes */
  willUpdate(changes) {
    if (!changes.has("conversation")) return;
    const before = /** @type {Conversation | null | undefined} */ (changes.get("conversation"));
    before?.removeEventListener("change", this.changed);
    this.conversation?.addEventListener("change", this.changed);
  }

  render() {
    const turns = this.conversation?.turns ?? [];
    return html`
      <div class="turns" tabindex="0" role="group" aria-label=${t("chat.conversation")} @scroll=${this.#scrolled}>
        ${turns.length === 0 ? this.#firstVisit() : this.#turns(turns)}
      </div>
      ${turns.length === 0 || this.readsAlong ? nothing : this.#toEndButton()}
      <div class="unseen" role="status">${this.#said(turns.at(-1))}</div>
    `;
  }

  updated() {
    if (this.readsAlong) this.#toEnd();
  }

  /** Show the end, whatever the reader looked at: a question was asked. */
  follow() {
    this.readsAlong = true;
    this.#toEnd();
  }

  /** @param {readonly Turn[]} turns */
  #turns(turns) {
    const last = turns.at(-1);
    return repeat(
      turns,
      (turn) => turn.id,
      (turn, place) => html`<huatuo-message
        .turn=${turn}
        .answer=${turn.answer}
        .number=${place + 1}
        .isLast=${turn === last}
        .busy=${this.busy}
      ></huatuo-message>`,
    );
  }

  #firstVisit() {
    return html`<div class="first">
      <h2>${t("chat.welcome")}</h2>
      <ol>
        <li>${t("chat.step_picture", { count: this.most })}</li>
        <li>${t("chat.step_question")}</li>
        <li>${t("chat.step_verify")}</li>
      </ol>
      <huatuo-chooser></huatuo-chooser>
      <h3>${t("chat.examples")}</h3>
      <ul class="examples">${EXAMPLES.map((key) => this.#example(t(key)))}</ul>
    </div>`;
  }

  /** @param {string} question */
  #example(question) {
    const chosen = () => this.dispatchEvent(new CustomEvent("example", { detail: question }));
    return html`<li><button @click=${chosen}>${question}</button></li>`;
  }

  #toEndButton() {
    return html`<button class="to-end" @click=${this.follow}>${t("chat.to_end")}</button>`;
  }

  /**
   * What a screen reader is told: once that an answer is on its way, and then all of it.
   * @param {Turn | undefined} turn
   */
  #said(turn) {
    if (!turn) return "";
    if (isOnItsWay(turn.answer)) return t("chat.answering");
    const ending = { done: "", length: t("chat.cut_length"), stopped: t("chat.stopped"), failed: t("chat.failed") };
    const state = /** @type {keyof typeof ending} */ (turn.answer.state);
    if (turn.answer.trouble) return t("chat.trouble");
    return `${turn.answer.text} ${ending[state]}`;
  }

  #scrolled() {
    const turns = this.#scroller;
    if (turns) this.readsAlong = turns.scrollHeight - turns.scrollTop - turns.clientHeight < NEAR;
  }

  #toEnd() {
    const turns = this.#scroller;
    const last = this.renderRoot.querySelector("huatuo-message:last-of-type");
    // The message draws itself after this; only then is its height known.
    void /** @type {LitElement | null} */ (last)?.updateComplete.then(() => turns?.scrollTo(0, turns.scrollHeight));
  }

  get #scroller() {
    return this.renderRoot.querySelector(".turns");
  }
}

customElements.define("huatuo-conversation", ConversationView);

/** Where a question is written: the pictures that go along, the text, and the button to ask or to stop. */
import { LitElement, css, html, nothing } from "lit";
import { icon } from "./icon.js";
import { isEnter } from "./keys.js";
import { look } from "./look.js";
import { t, Words } from "./words.js";

/** @typedef {import("./picture.js").Picture} Picture */

const MOST_ROWS = 6;

const composerStyle = css`
  .along {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.35rem;
    margin-bottom: 0.45rem;
  }

  ul {
    display: flex;
    flex-wrap: wrap;
    gap: 0.35rem;
    min-width: 0;
    margin: 0;
    padding: 0;
    list-style: none;
  }

  li {
    display: inline-flex;
    align-items: center;
    gap: 0.4rem;
    max-width: 100%;
    padding-left: 0.25rem;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--raised);
    font-size: var(--small);
  }

  li img {
    width: 1.5rem;
    height: 1.5rem;
    border-radius: 3px;
    background: var(--film);
    object-fit: contain;
  }

  li span {
    overflow: hidden;
    max-width: 12rem;
    text-overflow: ellipsis;
    white-space: nowrap;
  }

  li.uploading {
    color: var(--muted);
  }

  li.failed {
    border-color: var(--danger);
    color: var(--danger);
  }

  li .warned {
    display: inline-flex;
    color: var(--warn);
  }

  li button {
    padding: 0.2rem 0.4rem;
    color: var(--muted);
  }

  .left-out {
    color: var(--muted);
  }

  .box {
    display: flex;
    align-items: flex-end;
    gap: 0.5rem;
  }

  textarea {
    flex: 1;
    min-width: 0;
    min-height: 2.5rem;
    max-height: 9rem;
    padding: 0.5rem 0.7rem;
    border: 1px solid var(--edge);
    border-radius: var(--radius);
    background: var(--field);
    color: inherit;
    font: inherit;
    resize: none;
    field-sizing: content;
  }

  textarea::placeholder {
    color: var(--muted);
    opacity: 1;
  }

  .box button {
    min-width: 5rem;
    min-height: 2.5rem;
    font-size: 0.9375rem;
  }

  .hint {
    margin: 0.3rem 0 0;
    color: var(--muted);
    font-size: 0.75rem;
  }

  .hint.blocked {
    color: var(--warn);
  }

  @media (pointer: coarse) {
    .hint:not(.blocked) {
      display: none;
    }

    textarea {
      /* Smaller ones make a phone zoom in. */
      font-size: 1rem;
    }
  }
`;

/**
 * `pictures`: those that go along. `numLeftOut`: others that stay. `busy`: an answer is on its way. `blocked`: why
 * nothing can be asked now, or empty. `note`: what became of the last question, or empty. Fires "ask" with the
 * question, "stop", "leave-out" with a picture, "take-along".
 */
export class Composer extends LitElement {
  static properties = {
    pictures: { attribute: false },
    numLeftOut: { type: Number },
    busy: { type: Boolean },
    blocked: { type: String },
    note: { type: String },
    question: { state: true },
  };

  static styles = [look, composerStyle];

  constructor() {
    super();
    /** @type {readonly Picture[]} */
    this.pictures = [];
    this.numLeftOut = 0;
    this.busy = false;
    this.blocked = "";
    this.note = "";
    this.question = "";
    this.words = new Words(this);
  }

  /**
   * Put a question there, to be read, changed and asked.
   * @param {string} question
   */
  suggest(question) {
    this.question = question;
    this.focus();
  }

  /**
   * Take a question away: it was asked. What was written since stays.
   * @param {string} question
   */
  clear(question = this.question) {
    if (this.question.trim() === question.trim()) this.question = "";
  }

  /** Take the keys: a button that was pressed may go, and keys that nobody has are the films'. */
  hold() {
    // A phone has no keys, and would bring up its own.
    if (!matchMedia("(pointer: coarse)").matches) this.focus();
  }

  focus() {
    this.renderRoot.querySelector("textarea")?.focus();
  }

  render() {
    return html`
      <div role="group" aria-label=${t("chat.composer")}>
        ${this.#along()}
        <div class="box">
          <textarea
            rows=${Math.min(MOST_ROWS, this.question.split("\n").length)}
            aria-label=${t("chat.question_label")}
            aria-describedby="hint"
            placeholder=${t("chat.placeholder")}
            .value=${this.question}
            @input=${this.#typed}
            @keydown=${this.#pressed}
          ></textarea>
          ${this.busy ? this.#stopButton() : this.#askButton()}
        </div>
        <div role="status">${this.note === "" ? nothing : html`<p class="hint blocked">${this.note}</p>`}</div>
        <p id="hint" class=${this.blocked === "" ? "hint" : "hint blocked"}>${this.blocked || t("chat.hint")}</p>
      </div>
    `;
  }

  #along() {
    if (this.pictures.length === 0 && this.numLeftOut === 0) return nothing;
    return html`<div class="along">
      <ul aria-label=${t("chat.along")}>${this.pictures.map((picture) => this.#chip(picture))}</ul>
      ${this.numLeftOut === 0 ? nothing : this.#leftOut()}
    </div>`;
  }

  /** @param {Picture} picture */
  #chip(picture) {
    const { label, thumbnail, state, provenance } = picture;
    const count = provenance?.warnings.length ?? 0;
    const shown = thumbnail && state === "ready" ? html`<img src=${thumbnail} alt="" />` : icon("picture");
    return html`<li class=${state}>
      ${shown}<span>${label}${state === "ready" ? nothing : html` · ${t(`chat.picture_${state}`)}`}</span>
      ${count > 0 ? warned(t("viewer.num_warnings", { count })) : nothing}
      <button aria-label=${t("chat.leave_out", { name: label })} @click=${() => this.#tell("leave-out", picture)}>
        ${icon("remove")}
      </button>
    </li>`;
  }

  #leftOut() {
    return html`<button class="left-out" @click=${() => this.#tell("take-along")}>
      ${icon("fresh")}${t("chat.take_along", { count: this.numLeftOut })}
    </button>`;
  }

  #askButton() {
    return html`<button
      class="primary"
      ?disabled=${this.blocked !== "" || this.question.trim() === ""}
      @click=${this.#ask}
    >
      ${icon("ask")}${t("chat.ask")}
    </button>`;
  }

  #stopButton() {
    return html`<button class="outlined" @click=${() => this.#tell("stop")}>${icon("stop")}${t("chat.stop")}</button>`;
  }

  /** @param {InputEvent} event */
  #typed(event) {
    this.question = /** @type {HTMLTextAreaElement} */ (event.target).value;
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (!isEnter(event)) return;
    event.preventDefault();
    this.#ask();
  }

  #ask() {
    const question = this.question.trim();
    if (question === "" || this.blocked !== "" || this.busy) return;
    this.#tell("ask", question);
  }

  /**
   * @param {string} name
   * @param {unknown} detail
   */
  #tell(name, detail = null) {
    this.hold();
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** @param {string} words */
function warned(words) {
  return html`<span class="warned" role="img" aria-label=${words} title=${words}>${icon("warning")}</span>`;
}

customElements.define("huatuo-composer", Composer);

/** One turn on the page: the question with its pictures, the answer, and what became of it. */
import { LitElement, html, nothing } from "lit";
import { copy } from "./clipboard.js";
import { isOnItsWay } from "./conversation.js";
import { errorWords } from "./error_words.js";
import { asText } from "./export.js";
import { icon } from "./icon.js";
import { look } from "./look.js";
import { rendered } from "./markdown.js";
import { messageStyle } from "./message_style.js";
import "./question_editor.js";
import "./retry_button.js";
import { seen } from "./seen.js";
import { t, Words } from "./words.js";

/** @typedef {import("./conversation.js").Turn} Turn */
/** @typedef {import("./conversation.js").Answer} Answer */

const COPIED_MS = 2000;

/** `turn` and its `answer`; `isLast`, `busy`: of the conversation. Fires "turn" with what is to be done, and "key". */
export class Message extends LitElement {
  static properties = {
    turn: { attribute: false },
    answer: { attribute: false },
    number: { type: Number },
    isLast: { type: Boolean },
    busy: { type: Boolean },
    editing: { state: true },
    copied: { state: true },
  };

  static styles = [look, messageStyle];

  constructor() {
    super();
    /** @type {Turn | null} */
    this.turn = null;
    /** @type {Answer | null} */
    this.answer = null;
    this.number = 1;
    this.isLast = false;
    this.busy = false;
    this.editing = false;
    this.copied = false;
    this.words = new Words(this);
  }

  render() {
    if (!this.turn || !this.answer) return nothing;
    const waits = isOnItsWay(this.answer);
    return html`
      <article aria-label=${t("chat.turn", { number: this.number })}>
        <div class="question">${this.editing ? this.#editor(this.turn) : this.#question(this.turn)}</div>
        <div class="answer" aria-busy=${waits ? "true" : "false"}>
          <h3>${t("chat.answer")}</h3>
          ${this.#trouble(this.turn, this.answer)}
          ${this.answer.text === "" ? nothing : html`<div class="text" .innerHTML=${rendered(this.answer.text)}></div>`}
          ${this.#ending(this.answer)} ${waits ? nothing : this.#footer(this.answer)}
        </div>
      </article>
    `;
  }

  /** @param {Turn} turn */
  #question(turn) {
    const edit = html`<button ?disabled=${this.busy} @click=${this.#edit}>${icon("edit")}${t("chat.edit")}</button>`;
    return html`
      <div class="head"><h3>${t("chat.question")}</h3>${edit}</div>
      ${turn.pictures.length === 0 ? nothing : html`<ul class="pictures">${turn.pictures.map(thumbnail)}</ul>`}
      <p>${turn.question}</p>
    `;
  }

  /** @param {Turn} turn */
  #editor(turn) {
    return html`<huatuo-question-editor
      .question=${turn.question}
      .dropsLater=${!this.isLast}
      .busy=${this.busy}
      @save=${this.#saved}
      @cancel=${this.#closeEditor}
    ></huatuo-question-editor>`;
  }

  /**
   * What an answer is that is not simply done, unmistakably.
   * @param {Answer} answer
   */
  #ending(answer) {
    switch (answer.state) {
      case "waiting":
        return html`<p class="waiting"><span class="pulse"></span>${t("chat.waiting")}</p>`;
      case "streaming":
        return html`<span class="pulse"></span>`;
      case "length":
        return mark("cut", t("chat.cut_length"), t("chat.cut_length_advice"));
      case "stopped":
        return mark("stopped", t("chat.stopped"), "");
      case "failed":
        return this.#failure(answer);
      default:
        return nothing;
    }
  }

  /** @param {Answer} answer */
  #failure(answer) {
    if (answer.error === null) return nothing;
    const broken = answer.text === "" ? nothing : html`<p>${t("chat.broken_off")}</p>`;
    return this.#failed(answer.error, broken, this.isLast);
  }

  /**
   * That an answer which was to take this one's place did not come.
   * @param {Turn} turn
   * @param {Answer} answer
   */
  #trouble({ question }, { trouble }) {
    if (trouble === null) return nothing;
    const other = trouble.question === question ? nothing : html`<p>${trouble.question}</p>`;
    return this.#failed(trouble.error, html`${other}<p>${t("chat.trouble")}</p>`, true);
  }

  /**
   * @param {import("./api.js").ApiError} error
   * @param {unknown} note
   * @param {boolean} canRetry
   */
  #failed(error, note, canRetry) {
    const words = errorWords(error);
    const detail = words.detail === null ? nothing : html`<p class="detail">${words.detail}</p>`;
    return html`
      <div class="mark failed" role="group" aria-label=${t("chat.failed")}>
        <strong>${icon("warning")}${words.title}</strong>
        ${note}
        <p>${words.advice}</p>
        ${detail} ${canRetry ? this.#remedy(words) : nothing}
      </div>
    `;
  }

  /** @param {import("./error_words.js").ErrorWords} words */
  #remedy({ retry, seconds }) {
    const again = html`<huatuo-retry
      .seconds=${seconds}
      .busy=${this.busy}
      @retry=${() => this.#act("retry")}
    ></huatuo-retry>`;
    if (retry === "none") return nothing;
    if (retry !== "key") return html`<div class="remedy">${again}</div>`;
    return html`<div class="remedy">
      <button class="outlined" @click=${() => this.#tell("key")}>${icon("key")}${t("chat.enter_key")}</button>${again}
    </div>`;
  }

  /** @param {Answer} answer */
  #footer(answer) {
    const { text, state } = answer;
    const again = html`<button ?disabled=${this.busy} @click=${() => this.#act("regenerate")}>
      ${icon("again")}${t("chat.regenerate")}
    </button>`;
    const copying = html`<button @click=${this.#copy}>
      ${icon(this.copied ? "done" : "copy")}${this.copied ? t("chat.copied") : t("chat.copy")}
    </button>`;
    return html`
      <div class="actions">
        ${text === "" ? nothing : copying} ${this.isLast && state !== "failed" ? again : nothing}
        <span class="facts">${facts(answer)}</span>
      </div>
      ${this.turn && state !== "failed" ? seen(this.turn.pictures, answer.images) : nothing}
      <span class="unseen" role="status">${this.copied ? t("chat.copied") : ""}</span>
    `;
  }

  #edit() {
    this.editing = true;
  }

  async #closeEditor() {
    this.editing = false;
    await this.updateComplete;
    /** @type {HTMLElement | null | undefined} */ (this.renderRoot.querySelector(".question button"))?.focus();
  }

  /** @param {CustomEvent<string>} event */
  #saved(event) {
    this.editing = false;
    this.#act("edit", event.detail);
  }

  async #copy() {
    this.copied = this.answer !== null && (await copy(asText(this.answer)));
    setTimeout(() => (this.copied = false), COPIED_MS);
  }

  /**
   * @param {"retry" | "regenerate" | "edit"} action
   * @param {string} question
   */
  #act(action, question = "") {
    this.#tell("turn", { action, turn: this.turn, question });
  }

  /**
   * @param {string} name
   * @param {unknown} detail
   */
  #tell(name, detail = null) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

/** @param {import("./picture.js").Sent} picture */
function thumbnail(picture) {
  return html`<li><img src=${picture.thumbnail} alt="" /><span title=${picture.label}>${picture.label}</span></li>`;
}

/**
 * @param {"cut" | "stopped"} kind
 * @param {string} title
 * @param {string} advice
 */
function mark(kind, title, advice) {
  return html`<div class="mark ${kind}">
    <strong>${icon(kind === "cut" ? "warning" : "stop")}${title}</strong>
    ${advice === "" ? nothing : html`<p>${advice}</p>`}
  </div>`;
}

/** @param {Answer} answer */
function facts({ ttftMs, usage }) {
  const first = ttftMs === null ? [] : [t("chat.ttft", { seconds: (ttftMs / 1000).toFixed(2) })];
  const length = usage === null ? [] : [t("chat.num_tokens", { count: usage.completion_tokens })];
  return [...first, ...length].join(" · ");
}

customElements.define("huatuo-message", Message);

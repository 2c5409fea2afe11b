/** A turn's question, being written anew. */
import { LitElement, css, html, nothing } from "lit";
import { isEnter } from "./keys.js";
import { look } from "./look.js";
import { t, Words } from "./words.js";

/**
 * `question`; `dropsLater`: whether turns follow, which go; `busy`: not now. Fires "save" with
 * the new question, and "cancel".
 */
export class QuestionEditor extends LitElement {
  static properties = { question: { type: String }, dropsLater: { type: Boolean }, busy: { type: Boolean } };

  static styles = [
    look,
    css`
      textarea {
        width: 100%;
        padding: 0.5rem 0.6rem;
        border: 1px solid var(--edge);
        border-radius: var(--radius);
        background: var(--field);
        color: inherit;
        font: inherit;
        resize: vertical;
      }

      div {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.5rem;
        margin-top: 0.4rem;
      }

      span {
        color: var(--muted);
        font-size: var(--small);
      }
    `,
  ];

  constructor() {
    super();
    this.question = "";
    this.dropsLater = false;
    this.busy = false;
    this.words = new Words(this);
  }

  render() {
    return html`
      <textarea
        rows="3"
        aria-label=${t("chat.edit_label")}
        .value=${this.question}
        @keydown=${this.#pressed}
      ></textarea>
      <div>
        <button class="primary" ?disabled=${this.busy} @click=${this.#save}>${t("chat.save")}</button>
        <button class="outlined" @click=${this.#cancel}>${t("chat.cancel")}</button>
        ${this.dropsLater ? html`<span>${t("chat.drops_later")}</span>` : nothing}
      </div>
    `;
  }

  firstUpdated() {
    this.#field?.focus();
    this.#field?.select();
  }

  get #field() {
    return this.renderRoot.querySelector("textarea");
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.key === "Escape") this.#cancel();
    if (!isEnter(event)) return;
    event.preventDefault();
    this.#save();
  }

  #save() {
    const question = this.#field?.value.trim() ?? "";
    if (question !== "" && !this.busy) this.dispatchEvent(new CustomEvent("save", { detail: question }));
  }

  #cancel() {
    this.dispatchEvent(new Event("cancel"));
  }
}

customElements.define("huatuo-question-editor", QuestionEditor);

/** Where the access key is entered. It is kept until the tab is closed, and sent to this server only. */
import { LitElement, css, html, nothing } from "lit";
import { dialogStyle } from "./dialog_style.js";
import { icon } from "./icon.js";
import { look } from "./look.js";
import { t, Words } from "./words.js";

/** `hasKey`; `isRejected`: whether the server refused the present one. Fires "save" with a key; null to forget it. */
export class KeyDialog extends LitElement {
  static properties = { hasKey: { type: Boolean }, isRejected: { type: Boolean } };

  static styles = [
    look,
    dialogStyle,
    css`
      label {
        display: block;
        margin-bottom: 0.25rem;
        font-size: var(--small);
        font-weight: 600;
      }

      input {
        width: 100%;
        min-height: 2.5rem;
        padding: 0.4rem 0.6rem;
        border: 1px solid var(--edge);
        border-radius: var(--radius);
        background: var(--field);
        color: inherit;
        font: inherit;
        font-family: var(--mono);
      }

      .rejected {
        display: flex;
        gap: 0.5rem;
        color: var(--danger);
      }

      .rejected svg {
        margin-top: 0.2em;
      }

      .forget {
        margin-right: auto;
      }
    `,
  ];

  constructor() {
    super();
    this.hasKey = false;
    this.isRejected = false;
    this.words = new Words(this);
  }

  /** Open it, unless it is. */
  show() {
    if (this.#dialog && !this.#dialog.open) this.#dialog.showModal();
  }

  render() {
    return html`<dialog aria-labelledby="title" @close=${this.#empty}>
      <form @submit=${this.#submitted}>
        <h2 id="title">${t("app.key_title")}</h2>
        <p id="note">${t("app.key_note")}</p>
        ${this.isRejected ? this.#rejected() : nothing}
        <label for="key">${t("app.key_label")}</label>
        <input id="key" type="password" autocomplete="off" spellcheck="false" required aria-describedby="note" />
        <div class="choices">${this.#choices()}</div>
      </form>
    </dialog>`;
  }

  #rejected() {
    const text = t(this.hasKey ? "app.key_rejected" : "app.key_needed");
    return html`<p class="rejected" role="alert">${icon("warning")}${text}</p>`;
  }

  #choices() {
    const forget = html`<button type="button" class="forget" @click=${() => this.#save(null)}>
      ${t("app.key_forget")}
    </button>`;
    return html`
      ${this.hasKey ? forget : nothing}
      <button type="button" class="outlined" @click=${() => this.#dialog?.close()}>${t("app.cancel")}</button>
      <button class="primary">${t("app.key_save")}</button>
    `;
  }

  /** @param {SubmitEvent} event */
  #submitted(event) {
    event.preventDefault();
    const key = this.#field?.value.trim() ?? "";
    if (key !== "") this.#save(key);
  }

  /** @param {string | null} key */
  #save(key) {
    this.#dialog?.close();
    this.dispatchEvent(new CustomEvent("save", { detail: key }));
  }

  #empty() {
    if (this.#field) this.#field.value = "";
  }

  get #dialog() {
    return this.renderRoot.querySelector("dialog");
  }

  get #field() {
    return this.renderRoot.querySelector("input");
  }
}

customElements.define("huatuo-key-dialog", KeyDialog);

/** Asks before the conversation and its pictures go: they are kept nowhere else. */
import { LitElement, html } from "lit";
import { dialogStyle } from "./dialog_style.js";
import { look } from "./look.js";
import { t, Words } from "./words.js";

/** Fires "confirm". */
export class StartOverDialog extends LitElement {
  static styles = [look, dialogStyle];

  constructor() {
    super();
    this.words = new Words(this);
  }

  /** Open it. */
  show() {
    this.#dialog?.showModal();
  }

  render() {
    return html`<dialog aria-labelledby="title" aria-describedby="note">
      <h2 id="title">${t("app.start_over_title")}</h2>
      <p id="note">${t("app.start_over_note")}</p>
      <div class="choices">
        <button class="outlined" @click=${() => this.#dialog?.close()}>${t("app.cancel")}</button>
        <button class="primary" @click=${this.#confirm}>${t("app.start_over")}</button>
      </div>
    </dialog>`;
  }

  #confirm() {
    this.#dialog?.close();
    this.dispatchEvent(new Event("confirm"));
  }

  get #dialog() {
    return this.renderRoot.querySelector("dialog");
  }
}

customElements.define("huatuo-start-over-dialog", StartOverDialog);

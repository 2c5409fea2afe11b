/** A button to ask again, that counts down first where the server said how long to wait. */
import { LitElement, css, html } from "lit";
import { icon } from "./icon.js";
import { look } from "./look.js";
import { t, Words } from "./words.js";

/** `seconds`: how long to wait; `busy`: not now. Fires "retry". */
export class RetryButton extends LitElement {
  static properties = { seconds: { type: Number }, busy: { type: Boolean }, left: { state: true } };

  static styles = [
    look,
    css`
      /* It is read while it counts. */
      button:disabled {
        opacity: 1;
      }
    `,
  ];

  /** @type {ReturnType<typeof setInterval> | undefined} */
  #ticking;

  constructor() {
    super();
    this.seconds = 0;
    this.busy = false;
    this.left = 0;
    this.words = new Words(this);
  }

  connectedCallback() {
    super.connectedCallback();
    const end = performance.now() + this.seconds * 1000;
    this.left = this.seconds;
    // Against the clock, as a tab in the background is woken less often than once a second.
    this.#ticking = setInterval(() => this.#tick(end), 250);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.#ticking);
  }

  render() {
    const text = this.left > 0 ? t("chat.retry_in", { count: this.left }) : t("chat.retry");
    return html`<button class="outlined" ?disabled=${this.left > 0 || this.busy} @click=${this.#retry}>
      ${icon("again")}${text}
    </button>`;
  }

  /** @param {number} end */
  #tick(end) {
    this.left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    if (this.left === 0) clearInterval(this.#ticking);
  }

  #retry() {
    this.dispatchEvent(new Event("retry"));
  }
}

customElements.define("huatuo-retry", RetryButton);

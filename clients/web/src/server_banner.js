/** A line that is there only while the server takes no questions: what is wrong, and what to do. */
import { LitElement, css, html, nothing } from "lit";
import { icon } from "./icon.js";
import { look } from "./look.js";
import { t, Words } from "./words.js";

/** `status` of the server. */
export class ServerBanner extends LitElement {
  static properties = { status: { type: String } };

  static styles = [
    look,
    css`
      p {
        display: flex;
        align-items: center;
        gap: 0.6rem;
        margin: 0;
        padding: 0.5rem 1rem;
        border-bottom: 1px solid var(--line);
        background: var(--warn-wash);
        font-size: 0.875rem;
      }

      svg {
        color: var(--warn);
      }

      p:is(.failed, .unreachable) {
        background: var(--danger-wash);
      }

      p:is(.failed, .unreachable) svg {
        color: var(--danger);
      }
    `,
  ];

  constructor() {
    super();
    /** @type {import("./server_state.js").ServerStatus} */
    this.status = "unknown";
    this.words = new Words(this);
  }

  render() {
    return html`<div role="status">${this.#line()}</div>`;
  }

  #line() {
    if (this.status === "ok" || this.status === "unknown") return nothing;
    return html`<p class=${this.status}>${icon("warning")}<span>${t(`app.banner_${this.status}`)}</span></p>`;
  }
}

customElements.define("huatuo-server-banner", ServerBanner);

/** How full the model's context is: pictures, turns and room; and what may go when it is full. */
import { LitElement, css, html, nothing } from "lit";
import { icon } from "./icon.js";
import { look } from "./look.js";
import { t, Words } from "./words.js";

/** @typedef {import("./context.js").Context} Context */

/**
 * `context`; `numToDrop`: the oldest turns that would have to go for the next question; `busy`: not
 * now. Fires "drop".
 */
export class ContextMeter extends LitElement {
  static properties = { context: { attribute: false }, numToDrop: { type: Number }, busy: { type: Boolean } };

  static styles = [
    look,
    css`
      .amounts {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.15rem 0.9rem;
        min-height: 1.5rem;
        margin-bottom: 0.3rem;
        color: var(--muted);
        font-size: var(--small);
        font-variant-numeric: tabular-nums;
      }

      .room {
        display: inline-flex;
        align-items: center;
        gap: 0.5rem;
      }

      meter {
        width: 4.5rem;
        height: 0.35rem;
        border: 0;
        border-radius: 2px;
        background: var(--line);
        appearance: none;
      }

      meter::-webkit-meter-bar {
        height: 0.35rem;
        border: 0;
        border-radius: 2px;
        background: var(--line);
      }

      /* Two rules: a browser drops one of which it does not know every selector. */
      meter::-webkit-meter-optimum-value {
        border-radius: 2px;
        background: var(--bar);
      }

      meter::-moz-meter-bar {
        border-radius: 2px;
        background: var(--bar);
      }

      meter {
        --bar: var(--accent);
      }

      :is(.tight, .full) meter {
        --bar: var(--warn);
      }

      .notice {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.4rem 0.8rem;
        margin: 0.3rem 0;
        padding: 0.4rem 0.7rem;
        border-left: 3px solid var(--warn);
        border-radius: 0 var(--radius) var(--radius) 0;
        background: var(--warn-wash);
        font-size: var(--small);
      }

      .notice svg {
        color: var(--warn);
      }

      .notice span {
        flex: 1 1 12rem;
      }
    `,
  ];

  constructor() {
    super();
    /** @type {Context | null} */
    this.context = null;
    this.numToDrop = 0;
    this.busy = false;
    this.words = new Words(this);
  }

  render() {
    if (!this.context) return nothing;
    return html`<div role="group" aria-label=${t("chat.context")} class=${this.context.state}>
      ${this.#amounts(this.context)}
      <div role="status">${this.#notice(this.context)}</div>
    </div>`;
  }

  /** @param {Context} context */
  #amounts({ numImages, maxImages, numTurns, numTokens, maxTokens, exact }) {
    const share = Math.min(1, numTokens / maxTokens);
    const room = t(exact ? "chat.room" : "chat.room_about", { percent: Math.round(share * 100) });
    return html`<div class="amounts">
      <span>${t("chat.num_pictures", { count: numImages, max: maxImages })}</span>
      ${numTurns === 0 ? nothing : html`<span>${t("chat.num_turns", { count: numTurns })}</span>`}
      <span class="room" title=${t("chat.room_tokens", { tokens: numTokens, max: maxTokens })}>
        <meter min="0" max="1" .value=${share} aria-label=${t("chat.context")}></meter>${room}
      </span>
    </div>`;
  }

  /** @param {Context} context */
  #notice({ state, numImages, maxImages }) {
    if (state === "room") return nothing;
    const drop = html`<button class="outlined" ?disabled=${this.busy} @click=${this.#drop}>
      ${t("chat.drop", { count: this.numToDrop })}
    </button>`;
    return html`<div class="notice">
      ${icon("warning")}
      <span>${t(state === "tight" ? "chat.tight" : numImages > maxImages ? "chat.full_images" : "chat.full")}</span>
      ${this.numToDrop > 0 ? drop : nothing}
    </div>`;
  }

  #drop() {
    this.dispatchEvent(new Event("drop"));
  }
}

customElements.define("huatuo-context-meter", ContextMeter);

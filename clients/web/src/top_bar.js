/** The line above: which model, how it is, and what concerns the whole page. */
import { LitElement, css, html, nothing } from "lit";
import { icon } from "./icon.js";
import { look } from "./look.js";
import { language, t, Words } from "./words.js";

/** @typedef {import("./api.js").Model} Model */

const barStyle = css`
  :host {
    display: flex;
    align-items: center;
    gap: 0.25rem;
    padding: 0.35rem 0.6rem 0.35rem 1rem;
    border-bottom: 1px solid var(--line);
    background: var(--panel);
  }

  h1 {
    overflow: hidden;
    margin: 0;
    font-size: 0.9375rem;
    font-weight: 600;
    text-overflow: ellipsis;
    white-space: nowrap;
  }

  .status {
    display: inline-flex;
    align-items: center;
    gap: 0.45em;
    margin: 0 auto 0 0.7rem;
    color: var(--muted);
    font-size: var(--small);
    white-space: nowrap;
  }

  .status::before {
    width: 0.5rem;
    height: 0.5rem;
    border-radius: 50%;
    background: var(--warn);
    content: "";
  }

  .status.ok::before {
    background: var(--ok);
  }

  .status:is(.failed, .unreachable)::before {
    background: var(--danger);
  }

  details {
    position: relative;
  }

  summary {
    list-style: none;
  }

  summary::-webkit-details-marker {
    display: none;
  }

  .menu {
    position: absolute;
    z-index: 3;
    right: 0;
    display: grid;
    min-width: 12rem;
    margin-top: 0.25rem;
    padding: 0.25rem;
    border: 1px solid var(--edge);
    border-radius: var(--radius);
    background: var(--panel);
    box-shadow: 0 6px 20px var(--shade);
  }

  .menu button {
    justify-content: flex-start;
  }

  .mark {
    width: 0.4rem;
    height: 0.4rem;
    border-radius: 50%;
    background: var(--ok);
  }

  @media (max-width: 60rem) {
    .label {
      position: absolute;
      width: 1px;
      height: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }
  }

  @media (max-width: 40rem) {
    :host {
      gap: 0;
      padding: 0.15rem 0.25rem 0.15rem 0.75rem;
    }

    .status {
      margin-left: 0.5rem;
    }

    .status.ok span {
      position: absolute;
      width: 1px;
      height: 1px;
      overflow: hidden;
      clip-path: inset(50%);
    }
  }
`;

/**
 * `model`, `status` of the server, `theme`, `hasKey`, `isEmpty`: there is nothing to clear; `canExport`. Fires
 * "start-over", "export" with "md" or "json", "key", "theme" and "language" with the new one.
 */
export class TopBar extends LitElement {
  static properties = {
    model: { attribute: false },
    status: { type: String },
    theme: { type: String },
    hasKey: { type: Boolean },
    isEmpty: { type: Boolean },
    canExport: { type: Boolean },
  };

  static styles = [look, barStyle];

  constructor() {
    super();
    /** @type {Model | null} */
    this.model = null;
    /** @type {import("./server_state.js").ServerStatus} */
    this.status = "unknown";
    /** @type {import("./preferences.js").Theme} */
    this.theme = "dark";
    this.hasKey = false;
    this.isEmpty = true;
    this.canExport = false;
    this.words = new Words(this);
  }

  render() {
    return html`
      <h1>${this.model?.id ?? t("app.name")}</h1>
      <span class="status ${this.status}"><span>${t(`app.status_${this.status}`)}</span></span>
      <button ?disabled=${this.isEmpty} @click=${() => this.#tell("start-over")}>
        ${icon("fresh")}<span class="label">${t("app.start_over")}</span>
      </button>
      ${this.#exports()} ${this.#keyButton()} ${this.#themeButton()} ${this.#languageButton()}
    `;
  }

  #exports() {
    if (!this.canExport) return nothing;
    return html`<details @keydown=${this.#pressed} @focusout=${this.#left}>
      <summary>${icon("save")}<span class="label">${t("app.export")}</span></summary>
      <div class="menu">
        <button @click=${() => this.#export("md")}>${t("app.export_markdown")}</button>
        <button @click=${() => this.#export("json")}>${t("app.export_json")}</button>
      </div>
    </details>`;
  }

  #keyButton() {
    return html`<button @click=${() => this.#tell("key")}>
      ${icon("key")}<span class="label">${t("app.key")}</span>
      ${this.hasKey ? html`<span class="mark"></span>` : nothing}
    </button>`;
  }

  #themeButton() {
    const other = this.theme === "dark" ? "light" : "dark";
    const name = t(other === "light" ? "app.theme_light" : "app.theme_dark");
    return html`<button aria-label=${name} title=${name} @click=${() => this.#tell("theme", other)}>
      ${icon(other)}
    </button>`;
  }

  /** It is named in the language that it leads to, for who cannot read the present one. */
  #languageButton() {
    const [other, name] = language() === "en" ? ["zh-CN", "中文"] : ["en", "English"];
    return html`<button lang=${other} @click=${() => this.#tell("language", other)}>${name}</button>`;
  }

  /** @param {"md" | "json"} ending */
  #export(ending) {
    this.#close();
    this.#tell("export", ending);
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.key !== "Escape") return;
    this.#close();
    this.renderRoot.querySelector("summary")?.focus();
  }

  /** @param {FocusEvent} event */
  #left(event) {
    const menu = /** @type {HTMLElement} */ (event.currentTarget);
    if (!menu.contains(/** @type {Node | null} */ (event.relatedTarget))) this.#close();
  }

  #close() {
    this.renderRoot.querySelector("details")?.removeAttribute("open");
  }

  /**
   * @param {string} name
   * @param {unknown} detail
   */
  #tell(name, detail = null) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

customElements.define("huatuo-top-bar", TopBar);

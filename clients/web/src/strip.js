/** The pictures that lie on the page, as thumbnails; and whatever is dropped, pasted or chosen anywhere on it. */
import { LitElement, css, html, nothing } from "lit";
import "./chooser.js";
import { icon } from "./icon.js";
import { MOST_FILES, dropped, pictures } from "./intake.js";
import { look } from "./look.js";
import { t, Words } from "./words.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {import("./series.js").Given} Given */

const stripStyle = css`
  :host {
    display: block;
    padding: 0.4rem 0.5rem;
    border-top: 1px solid var(--line);
    background: var(--panel);
  }

  :host([empty]) {
    padding: 0;
    border: 0;
  }

  :host([empty]) .row {
    display: none;
  }

  p {
    margin: 0.3rem 0.5rem;
    color: var(--warn);
    font-size: var(--small);
  }

  p:empty {
    display: none;
  }

  .row {
    display: flex;
    align-items: center;
    gap: 0.5rem;
    overflow-x: auto;
    padding: 3px;
  }

  ul {
    display: flex;
    gap: 0.5rem;
    margin: 0;
    padding: 0;
    list-style: none;
  }

  li {
    position: relative;
  }

  .choose {
    position: relative;
    width: 3.75rem;
    height: 3.75rem;
    padding: 0;
    overflow: hidden;
    border: 1px solid var(--line);
    background: var(--film);
    color: #b7c0c8;
  }

  .choose[aria-current="true"] {
    border-color: var(--accent);
    box-shadow: 0 0 0 1px var(--accent);
  }

  .failed .choose {
    border-color: var(--danger);
    color: #f49b94;
  }

  img {
    width: 100%;
    height: 100%;
    object-fit: contain;
  }

  .inverted img {
    filter: invert(1);
  }

  .uploading img {
    opacity: 0.45;
  }

  .number {
    position: absolute;
    bottom: 1px;
    left: 2px;
    padding: 0 0.2rem;
    border-radius: 3px;
    background: rgb(0 0 0 / 70%);
    color: #e6e9ec;
    font: 0.6875rem/1.3 var(--mono);
  }

  .warned {
    position: absolute;
    right: 1px;
    bottom: 1px;
    display: flex;
    border-radius: 3px;
    background: rgb(0 0 0 / 70%);
    color: #ffb454;
  }

  .remove {
    position: absolute;
    top: -2px;
    right: -2px;
    min-width: 0;
    min-height: 0;
    width: 1.5rem;
    height: 1.5rem;
    padding: 0;
    border-radius: 50%;
    background: rgb(0 0 0 / 70%);
    color: #e6e9ec;
  }

  .remove:hover:not(:disabled) {
    background: #000;
  }
`;

/**
 * `api`; `pictures`, the `current` one, and how many there may be (`max`). Fires "add" with pictures, "choose" and
 * "remove" with one; who hears "remove" closes the picture. Fires "reading" with true when files come, and with false
 * when all that came are read, and their pictures added.
 */
export class Strip extends LitElement {
  static properties = {
    api: { attribute: false },
    pictures: { attribute: false },
    current: { attribute: false },
    max: { type: Number },
    notice: { state: true },
    numReading: { state: true },
  };

  static styles = [look, stripStyle];

  constructor() {
    super();
    /** @type {Api | null} */
    this.api = null;
    /** @type {readonly Picture[]} */
    this.pictures = [];
    /** @type {Picture | null} */
    this.current = null;
    this.max = 6;
    this.notice = "";
    /** How many drops, pastes and choices are not read yet. */
    this.numReading = 0;
    this.words = new Words(this);
  }

  #listening = new AbortController();
  /** One after the other, so that there is room for what is counted. */
  #taking = Promise.resolve();
  #redraw = () => this.requestUpdate();

  connectedCallback() {
    super.connectedCallback();
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    addEventListener("files", (event) => this.#take(/** @type {CustomEvent<Given[]>} */ (event).detail), { signal });
    addEventListener("dragover", (event) => this.#over(event), { signal });
    addEventListener("drop", (event) => this.#dropped(event), { signal });
    addEventListener("paste", (event) => this.#pasted(event), { signal });
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#listening.abort();
    for (const picture of this.pictures) picture.removeEventListener("change", this.#redraw);
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    if (!changed.has("pictures")) return;
    this.toggleAttribute("empty", this.pictures.length === 0);
    const before = /** @type {readonly Picture[] | undefined} */ (changed.get("pictures"));
    for (const picture of before ?? []) picture.removeEventListener("change", this.#redraw);
    for (const picture of this.pictures) picture.addEventListener("change", this.#redraw);
  }

  render() {
    return html`
      <div class="row">
        <ul aria-label=${t("viewer.pictures")} @keydown=${this.#pressed}>
          ${this.pictures.map((picture, place) => this.#thumbnail(picture, place + 1))}
        </ul>
        ${this.pictures.length < this.max ? html`<huatuo-chooser compact></huatuo-chooser>` : nothing}
      </div>
      <p role="status">${this.numReading > 0 ? t("viewer.reading") : this.notice}</p>
    `;
  }

  /**
   * @param {Picture} picture
   * @param {number} number
   */
  #thumbnail(picture, number) {
    const { thumbnail, label, state, inverted } = picture;
    const warnings = picture.provenance?.warnings ?? [];
    const told = warnings.length ? `, ${t("viewer.num_warnings", { count: warnings.length })}` : "";
    const name = t(`viewer.thumbnail_${state}`, { number, name: label }) + told;
    return html`<li class=${inverted ? `${state} inverted` : state}>
      <button
        class="choose"
        aria-label=${name}
        title=${[label, ...warnings].join("\n")}
        aria-current=${picture === this.current ? "true" : "false"}
        @click=${() => this.#tell("choose", picture)}
      >
        ${thumbnail ? html`<img src=${thumbnail} alt="" />` : icon(state === "failed" ? "warning" : "picture")}
        <span class="number">${number}</span>
        ${told ? html`<span class="warned">${icon("warning")}</span>` : nothing}
      </button>
      <button
        class="remove"
        aria-label=${t("viewer.remove", { name: label })}
        @click=${() => this.#remove(picture)}
      >
        ${icon("remove")}
      </button>
    </li>`;
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const place = this.current ? this.pictures.indexOf(this.current) : -1;
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const next = this.pictures[place + step];
    if (step && next) {
      event.preventDefault();
      this.#tell("choose", next);
      /** @type {NodeListOf<HTMLElement>} */ (this.renderRoot.querySelectorAll(".choose"))[place + step].focus();
    }
    if (event.key === "Delete" && this.current) {
      event.preventDefault();
      this.#remove(this.current);
    }
  }

  /** @param {Picture} picture */
  #remove(picture) {
    this.notice = "";
    this.#tell("remove", picture);
  }

  /** @param {DragEvent} event */
  #over(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  }

  /** @param {DragEvent} event */
  #dropped(event) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    this.#take(dropped(event.dataTransfer));
  }

  /** @param {ClipboardEvent} event */
  #pasted(event) {
    const types = event.clipboardData?.types ?? [];
    // A text that also comes as a picture, from a word processor, was meant as text.
    if (!event.clipboardData || !types.includes("Files") || types.includes("text/plain")) return;
    event.preventDefault();
    this.#take(dropped(event.clipboardData));
  }

  /** @param {Given[] | Promise<Given[]>} givens */
  #take(givens) {
    this.#reads(1);
    this.#taking = this.#taking
      .then(async () => this.#add(await givens))
      .catch(() => this.#add([]))
      .finally(() => this.#reads(-1));
  }

  /** @param {1 | -1} step */
  #reads(step) {
    this.numReading += step;
    this.dispatchEvent(new CustomEvent("reading", { detail: this.numReading > 0 }));
  }

  /** @param {Given[]} givens */
  async #add(givens) {
    if (!this.api) return;
    const found = await pictures(givens, this.api, this.max - this.pictures.length);
    const notices = [];
    if (found.pictures.length) this.#tell("add", found.pictures);
    if (found.isCut) notices.push(t("viewer.too_many_files", { count: MOST_FILES }));
    if (found.numLeft) notices.push(t("viewer.too_many", { max: this.max, count: found.numLeft }));
    else if (!found.pictures.length) notices.push(t("viewer.no_pictures"));
    this.notice = notices.join(" ");
    // Until who heard of them has laid them down, there seems to be more room than there is.
    await this.updateComplete;
  }

  /**
   * @param {"add" | "choose" | "remove"} name
   * @param {Picture | Picture[]} detail
   */
  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

customElements.define("huatuo-strip", Strip);

/** The picture that is looked at, and all that can be done to how it is seen. */
import { LitElement, html, nothing } from "lit";
import { ApiError } from "./api.js";
import "./chooser.js";
import { errorWords } from "./error_words.js";
import { icon } from "./icon.js";
import { look } from "./look.js";
import { modelView, modelViewStyle } from "./model_view.js";
import "./retry_button.js";
import "./stage.js";
import { viewerStyle } from "./viewer_style.js";
import { PRESETS } from "./windowing.js";
import { t, Words } from "./words.js";

/** @typedef {import("./gestures.js").Tool} Tool */
/** @typedef {import("./icon.js").IconName} IconName */
/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {import("./words.js").Key} Key */

const ZOOM_STEP = 1.25;

const SLIDER_KEYS = new Set(["Home", "End", "PageUp", "PageDown"]);

/** @type {ReadonlyArray<[Tool, string, Key]>} with their keys and names */
const TOOLS = [
  ["pan", "p", "viewer.pan"],
  ["window", "w", "viewer.window"],
  ["region", "r", "viewer.region"],
];

/** @type {Readonly<Record<string, Key>>} */
const PRESET_NAMES = {
  "soft-tissue": "viewer.preset_soft_tissue",
  lung: "viewer.preset_lung",
  liver: "viewer.preset_liver",
  bone: "viewer.preset_bone",
  brain: "viewer.preset_brain",
};

/** `current`: the picture, or null. Fires "view-change" once its view has changed, and "files" as the chooser does. */
export class Viewer extends LitElement {
  static properties = {
    current: { attribute: false },
    tool: { state: true },
    showsModel: { state: true },
    refusesPreset: { state: true },
  };

  static styles = [look, viewerStyle, modelViewStyle];

  constructor() {
    super();
    /** @type {Picture | null} */
    this.current = null;
    /** @type {Tool} */
    this.tool = "pan";
    this.showsModel = false;
    /** A preset was wanted of a picture that has none. */
    this.refusesPreset = false;
    this.words = new Words(this);
  }

  /** A preset's key that was pressed before it was known whether the picture has presets. */
  #wantedPreset = "";
  #redraw = () => this.requestUpdate();
  /** @param {KeyboardEvent} event */
  #pressed = (event) => {
    // Keys are the viewer's while it or the strip has the focus, or nothing has.
    const path = /** @type {Element[]} */ (event.composedPath());
    const isOurs = path[0] === document.body || path.some((one) => one === this || one.localName === "huatuo-strip");
    if (this.current && isOurs) this.#key(event);
  };

  connectedCallback() {
    super.connectedCallback();
    addEventListener("keydown", this.#pressed);
    this.current?.addEventListener("change", this.#redraw);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    removeEventListener("keydown", this.#pressed);
    this.current?.removeEventListener("change", this.#redraw);
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    if (!changed.has("current")) return;
    this.#wantedPreset = "";
    this.refusesPreset = false;
    /** @type {Picture | null | undefined} */ (changed.get("current"))?.removeEventListener("change", this.#redraw);
    this.current?.addEventListener("change", this.#redraw);
  }

  render() {
    if (!this.current) return this.#empty();
    return html`
      ${this.#tools(this.current)}
      <div class="film">
        <huatuo-stage
          .picture=${this.current}
          .tool=${this.tool}
          ?hidden=${this.showsModel}
          @film=${this.#filmChanged}
          @view-change=${this.#tell}
        ></huatuo-stage>
        ${this.showsModel ? modelView(this.current) : nothing} ${this.#note(this.current)}
      </div>
      ${this.current.frames > 1 ? this.#frames(this.current) : nothing}
    `;
  }

  #empty() {
    return html`<div class="empty">
      ${icon("picture")}
      <p>${t("viewer.empty")}</p>
      <huatuo-chooser></huatuo-chooser>
      <p>${t("viewer.empty_hint")}</p>
    </div>`;
  }

  /** @param {Picture} picture */
  #tools(picture) {
    return html`<div class="tools" role="toolbar" aria-label=${t("viewer.tools")}>
      ${TOOLS.map(([tool, key, name]) => this.#toggle(tool, name, key, tool === this.tool, () => this.#take(tool)))}
      <hr />
      ${this.#button("smaller", "viewer.zoom_out", "-", () => this.#stage?.zoom(1 / ZOOM_STEP))}
      ${this.#button("larger", "viewer.zoom_in", "+", () => this.#stage?.zoom(ZOOM_STEP))}
      ${this.#button("fit", "viewer.fit", "0", () => this.#stage?.fit())}
      ${this.#toggle("invert", "viewer.invert", "i", picture.inverted, () => picture.invert())}
      ${picture.window || picture.preset
        ? this.#button("reset", "viewer.reset_window", "d", () => this.#resetWindow(picture))
        : nothing}
      ${picture.region
        ? this.#button("remove", "viewer.clear_region", "Del", () => this.#clearRegion(picture))
        : nothing}
      <button
        class="model-switch outlined"
        aria-pressed=${this.showsModel ? "true" : "false"}
        title=${t("viewer.model_hint")}
        @click=${this.#switch}
      >
        ${icon("model")}<span>${t("viewer.model")}</span> <kbd aria-hidden="true">m</kbd>
      </button>
      ${this.#presets(picture)}
    </div>`;
  }

  /** @param {Picture} picture */
  #presets(picture) {
    if (!this.#stage?.film.preview?.isHounsfield) return nothing;
    const buttons = [...PRESETS.keys()].map((preset, place) => {
      const choose = () => this.#setPreset(picture, preset);
      return html`<button aria-pressed=${picture.preset === preset ? "true" : "false"} @click=${choose}>
        ${t(PRESET_NAMES[preset])} <kbd aria-hidden="true">${place + 1}</kbd>
      </button>`;
    });
    return html`<div class="presets" role="group" aria-label=${t("viewer.presets")}>${buttons}</div>`;
  }

  /**
   * @param {IconName} drawing
   * @param {Key} name
   * @param {string} key
   * @param {boolean} isOn
   * @param {() => void} act
   */
  #toggle(drawing, name, key, isOn, act) {
    return html`<button
      aria-label=${t(name)}
      title="${t(name)} (${key})"
      aria-pressed=${isOn ? "true" : "false"}
      @click=${act}
    >
      ${icon(drawing)}
    </button>`;
  }

  /**
   * @param {IconName} drawing
   * @param {Key} name
   * @param {string} key
   * @param {() => void} act
   */
  #button(drawing, name, key, act) {
    return html`<button aria-label=${t(name)} title="${t(name)} (${key})" @click=${act}>${icon(drawing)}</button>`;
  }

  /** @param {Picture} picture */
  #note(picture) {
    const failure = picture.state === "failed" ? picture.error : this.#stage?.film.failure;
    if (failure) return this.#failed(failure);
    const words = this.showsModel ? "" : this.#filmWords(picture);
    return words ? html`<div class="note" role="status">${words}</div>` : nothing;
  }

  /**
   * What is to be known of what is on the screen.
   * @param {Picture} picture
   */
  #filmWords({ frame, provenance }) {
    const film = this.#stage?.film;
    if (film?.isPresent) return this.refusesPreset ? t("viewer.no_presets") : "";
    // Before, it is not known how many frames there are.
    return film?.frame && provenance ? t("viewer.behind", { frame, shown: film.frame }) : t("viewer.loading");
  }

  #filmChanged() {
    const preset = this.#wantedPreset;
    if (preset && this.current && this.#stage?.film.preview) this.#wantPreset(this.current, preset);
    this.requestUpdate();
  }

  /** @param {unknown} failure */
  #failed(failure) {
    const known = failure instanceof ApiError ? failure : new ApiError({ code: "unknown" });
    const { title, advice, detail, retry, seconds } = errorWords(known);
    return html`<div class="note failed" role="alert">
      <strong>${title}</strong>
      <p>${advice}</p>
      ${detail ? html`<p lang="en">${detail}</p>` : nothing}
      ${retry === "none" || retry === "key"
        ? nothing
        : html`<huatuo-retry .seconds=${seconds} @retry=${this.#retry}></huatuo-retry>`}
    </div>`;
  }

  /** @param {Picture} picture */
  #frames(picture) {
    const { frame, frames } = picture;
    const words = t("viewer.frame_of", { frame, frames });
    return html`<div class="frames">
      <input
        type="range"
        min="1"
        max=${frames}
        step="1"
        aria-label=${t("viewer.frame")}
        aria-valuetext=${words}
        .value=${String(frame)}
        @input=${this.#slid}
      />
      <output>${words}</output>
    </div>`;
  }

  get #stage() {
    return this.renderRoot.querySelector("huatuo-stage");
  }

  /** @param {Event} event */
  #slid(event) {
    this.#stage?.goTo(Number(/** @type {HTMLInputElement} */ (event.target).value));
  }

  /** @param {Tool} tool */
  #take(tool) {
    this.tool = tool;
    this.showsModel = false;
    this.#stage?.focus();
  }

  #switch() {
    this.showsModel = !this.showsModel;
  }

  /**
   * By its key: it waits until it is known whether the picture has presets.
   * @param {Picture} picture
   * @param {string} preset
   */
  #wantPreset(picture, preset) {
    const preview = this.#stage?.film.preview;
    this.#wantedPreset = preview ? "" : preset;
    this.refusesPreset = preview?.isHounsfield === false;
    if (preview?.isHounsfield) this.#setPreset(picture, preset);
  }

  /**
   * @param {Picture} picture
   * @param {string} preset
   */
  #setPreset(picture, preset) {
    picture.setPreset(preset);
    this.#tell();
  }

  /** @param {Picture} picture */
  #resetWindow(picture) {
    picture.setWindow(null);
    this.#tell();
  }

  /** @param {Picture} picture */
  #clearRegion(picture) {
    picture.setRegion(null);
    this.#tell();
  }

  #retry() {
    this.current?.retry();
    this.#stage?.film.retry();
  }

  #tell() {
    this.refusesPreset = false;
    this.dispatchEvent(new Event("view-change"));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    const act = this.#acts(/** @type {Picture} */ (this.current)).get(event.key.toLowerCase());
    const isSliders = SLIDER_KEYS.has(event.key) && event.composedPath()[0] instanceof HTMLInputElement;
    if (!act || isSliders) return;
    event.preventDefault();
    this.#wantedPreset = "";
    this.refusesPreset = false;
    act();
  }

  /**
   * What each key does.
   * @param {Picture} picture
   * @returns {Map<string, () => void>}
   */
  #acts(picture) {
    const stage = this.#stage;
    return new Map([
      ...[...PRESETS.keys()].map((preset, place) => pair(String(place + 1), () => this.#wantPreset(picture, preset))),
      ...TOOLS.map(([tool, key]) => pair(key, () => this.#take(tool))),
      ...["+", "="].map((key) => pair(key, () => stage?.zoom(ZOOM_STEP))),
      pair("-", () => stage?.zoom(1 / ZOOM_STEP)),
      pair("0", () => stage?.fit()),
      pair("i", () => picture.invert()),
      pair("m", () => this.#switch()),
      pair("d", () => this.#resetWindow(picture)),
      ...["delete", "escape"].map((key) => pair(key, () => this.#clearRegion(picture))),
      pair("pageup", () => stage?.goTo(picture.frame - 1)),
      pair("pagedown", () => stage?.goTo(picture.frame + 1)),
      pair("home", () => stage?.goTo(1)),
      pair("end", () => stage?.goTo(picture.frames)),
    ]);
  }
}

/**
 * @param {string} key
 * @param {() => void} act
 * @returns {[string, () => void]}
 */
function pair(key, act) {
  return [key, act];
}

customElements.define("huatuo-viewer", Viewer);

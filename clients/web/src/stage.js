/** Where a picture is looked at: moved, enlarged, windowed, and a region of it marked. */
import { LitElement, css, html, nothing, svg } from "lit";
import { Film } from "./film.js";
import { Gestures } from "./gestures.js";
import { look } from "./look.js";
import { Viewport } from "./viewport.js";
import { t, Words } from "./words.js";

/** @typedef {import("./gestures.js").Tool} Tool */
/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {import("./picture.js").Region} Region */
/** @typedef {import("./viewport.js").Point} Point */
/** @typedef {import("./windowing.js").Window} Window */

const WHEEL_STEP = 0.0015;

/** Pixels of the screen over which a drag goes through all of a picture's values. */
const WHOLE_RANGE = 1024;

/** Pixels of the screen; what is smaller was a click. */
const LEAST_REGION = 6;

/** A turn of the wheel, in pixels, that goes on by a frame. */
const FRAME_TURN = 50;

/** Until the zoom rests, no sharper picture is asked for. */
const REST_MS = 250;

const stageStyle = css`
  :host {
    position: relative;
    display: block;
    min-height: 0;
    overflow: hidden;
    background: var(--film);
  }

  #stage {
    position: absolute;
    inset: 0;
    overflow: hidden;
    touch-action: none;
    user-select: none;
    cursor: grab;
  }

  /* Seen only where the system chooses the colours; else the ring is drawn above the film. */
  #stage:focus-visible {
    outline: 2px solid transparent;
  }

  #stage:focus-visible::after {
    position: absolute;
    inset: 0;
    border: 2px solid var(--focus);
    content: "";
    pointer-events: none;
  }

  #stage.window {
    cursor: ns-resize;
  }

  #stage.region {
    cursor: crosshair;
  }

  .sheet {
    position: absolute;
    top: 0;
    left: 0;
    transform-origin: 0 0;
  }

  canvas,
  .sheet svg {
    position: absolute;
    inset: 0;
    width: 100%;
    height: 100%;
  }

  canvas.inverted {
    filter: invert(1);
  }

  canvas.behind {
    opacity: 0.35;
  }

  canvas.coarse {
    image-rendering: pixelated;
  }

  .outside {
    fill: rgb(0 0 0 / 50%);
    fill-rule: evenodd;
  }

  .edge {
    fill: none;
    stroke: #ffd75e;
    stroke-width: calc(2px / var(--scale, 1));
  }

  .corner {
    position: absolute;
    bottom: 0.4rem;
    padding: 0.1rem 0.35rem;
    border-radius: 4px;
    background: rgb(0 0 0 / 65%);
    color: #d9dee3;
    font: 0.75rem/1.4 var(--mono);
    pointer-events: none;
  }

  .left {
    left: 0.4rem;
  }

  .right {
    right: 0.4rem;
  }
`;

/** `picture` and `tool`. Fires "view-change" once the view has changed, and "film" when what is seen of it has. */
export class Stage extends LitElement {
  static properties = { picture: { attribute: false }, tool: { type: String }, drawn: { state: true } };
  static styles = [look, stageStyle];

  constructor() {
    super();
    /** @type {Picture | null} */
    this.picture = null;
    /** @type {Tool} */
    this.tool = "pan";
    /** @type {Region | null} a region that is being drawn */
    this.drawn = null;
    this.words = new Words(this);
    this.viewport = new Viewport();
    const canvas = document.createElement("canvas");
    this.canvas = canvas;
    this.film = new Film(canvas);
    this.film.addEventListener("change", () => this.#filmChanged());
    this.#resizes = new ResizeObserver(() => this.#laidOut());
  }

  #resizes;
  /** @type {Gestures | null} */
  #gestures = null;
  #frame = 0;
  /** @type {Point} where a region begins */
  #anchor = { x: 0, y: 0 };
  /** @type {Window} that is dragged, before it is rounded: steps may be smaller than what is told of them */
  #exact = { center: 0, width: 1 };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #resting;
  #turned = 0;
  #pictureChanged = () => this.#show();

  connectedCallback() {
    super.connectedCallback();
    this.#resizes.observe(this);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#resizes.disconnect();
    this.picture?.removeEventListener("change", this.#pictureChanged);
  }

  firstUpdated() {
    const stage = /** @type {HTMLElement} */ (this.renderRoot.querySelector("#stage"));
    this.#gestures = new Gestures(stage, {
      tool: () => this.tool,
      begin: (tool, at) => this.#begin(tool, at),
      move: (tool, at, by) => this.#move(tool, at, by),
      end: (tool, isDone) => this.#end(tool, isDone),
      pinch: (factor, around, by) => this.#pinch(factor, around, by),
      wheel: (turn, at) => this.#wheel(turn, at),
    });
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    if (!changed.has("picture")) return;
    const before = /** @type {Picture | null | undefined} */ (changed.get("picture"));
    before?.removeEventListener("change", this.#pictureChanged);
    this.picture?.addEventListener("change", this.#pictureChanged);
    this.viewport.isFitted = true;
    this.film.show(this.picture);
    // After the film has let go of a window that was dragged over the other picture.
    this.#follow();
  }

  updated() {
    this.#place();
  }

  render() {
    const { width, height } = this.viewport.picture;
    const region = this.drawn ?? this.picture?.region ?? null;
    return html`
      <div
        id="stage"
        class=${this.tool}
        tabindex="0"
        role="application"
        aria-label=${t("viewer.stage", { name: this.picture?.label ?? "" })}
        aria-description=${t("viewer.stage_keys")}
        @keydown=${this.#pressed}
        @dblclick=${() => this.fit()}
      >
        <div class="sheet">
          ${this.canvas}
          <svg viewBox="0 0 ${width} ${height}" aria-hidden="true">
            ${region ? marked(region, width, height) : nothing}
          </svg>
        </div>
      </div>
      ${this.#corners()}
    `;
  }

  #corners() {
    const { window, provenance } = this.film;
    if (!provenance) return nothing;
    const level = window ? windowWords(window) : "";
    const zoom = `${Math.round(this.viewport.scale * 100)} %`;
    return html`
      ${level ? html`<span class="corner left" title=${t("viewer.window_long")}>${level}</span>` : nothing}
      <span class="corner right">${zoom}</span>
    `;
  }

  focus() {
    /** @type {HTMLElement | null} */ (this.renderRoot.querySelector("#stage"))?.focus();
  }

  fit() {
    this.viewport.fit();
    this.#moved();
  }

  /** @param {number} factor */
  zoom(factor) {
    this.viewport.zoom(factor);
    this.#moved();
  }

  /** Mark the middle, to be moved and sized by keys. */
  markMiddle() {
    const { width, height } = this.viewport.picture;
    this.#setRegion([width / 4, height / 4, (width * 3) / 4, (height * 3) / 4]);
  }

  #show() {
    this.film.show(this.picture);
    if (this.picture?.frame !== this.#frame) this.#follow();
    this.requestUpdate();
  }

  /** What was begun on another picture, or on another frame, does not end on this one. */
  #follow() {
    this.#frame = this.picture?.frame ?? 0;
    this.#gestures?.cancel();
  }

  #filmChanged() {
    this.#laidOut();
    this.dispatchEvent(new Event("film"));
  }

  #laidOut() {
    // Hidden for a while: it stays as it is.
    if (this.clientWidth === 0) return;
    const { provenance } = this.film;
    const stage = { width: this.clientWidth, height: this.clientHeight };
    const size = provenance ? { width: provenance.width, height: provenance.height } : this.viewport.picture;
    this.viewport.resize(stage, size);
    this.#moved();
  }

  #moved() {
    this.requestUpdate();
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => this.#sharpen(), REST_MS);
  }

  #sharpen() {
    const { scale, picture } = this.viewport;
    this.film.sharpen(Math.max(picture.width, picture.height) * scale * devicePixelRatio);
  }

  /** The picture is drawn pixel by pixel, and the browser's compositor moves and enlarges it. */
  #place() {
    const sheet = /** @type {HTMLElement | null} */ (this.renderRoot.querySelector(".sheet"));
    if (!sheet) return;
    const { x, y, scale, picture } = this.viewport;
    sheet.style.width = `${picture.width}px`;
    sheet.style.height = `${picture.height}px`;
    sheet.style.setProperty("--scale", String(scale));
    sheet.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    this.canvas.classList.toggle("inverted", this.picture?.inverted ?? false);
    this.canvas.classList.toggle("behind", this.film.provenance !== null && !this.film.isPresent);
    this.canvas.classList.toggle("coarse", (scale * picture.width) / this.canvas.width > 3);
  }

  /**
   * @param {Tool} tool
   * @param {Point} at
   */
  #begin(tool, at) {
    if (tool !== "pan" && !this.film.isPresent) {
      this.#gestures?.cancel();
      return;
    }
    if (tool === "region") this.#anchor = this.viewport.toPicture(at);
    if (tool === "window") this.#exact = this.film.startingWindow;
  }

  /**
   * @param {Tool} tool
   * @param {Point} at
   * @param {Point} by
   */
  #move(tool, at, by) {
    if (tool === "pan") this.#pan(by);
    if (tool === "window") this.#dragWindow(by);
    if (tool === "region") this.drawn = between(this.#anchor, this.viewport.toPicture(at));
  }

  /**
   * @param {Tool} tool
   * @param {boolean} isDone
   */
  #end(tool, isDone) {
    if (tool === "window") this.#letGo();
    if (tool !== "region") return;
    const { drawn } = this;
    this.drawn = null;
    if (!isDone || !drawn) return;
    const [left, top, right, bottom] = drawn;
    if (Math.min(right - left, bottom - top) * this.viewport.scale >= LEAST_REGION) this.#setRegion(drawn);
  }

  /**
   * @param {number} factor
   * @param {Point} around
   * @param {Point} by
   */
  #pinch(factor, around, by) {
    this.viewport.zoom(factor, around);
    this.#pan(by);
  }

  /**
   * Shift goes through frames.
   * @param {WheelEvent} turn
   * @param {Point} at
   */
  #wheel(turn, at) {
    const pixels = (turn.deltaY || turn.deltaX) * (turn.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1);
    if (turn.shiftKey && this.picture && this.picture.frames > 1) {
      this.#turned += pixels;
      const frames = Math.trunc(this.#turned / FRAME_TURN);
      this.#turned -= frames * FRAME_TURN;
      if (frames) this.goTo(this.picture.frame + frames);
      return;
    }
    // A trackpad's pinch comes as a wheel with ctrl, in small steps.
    this.viewport.zoom(Math.exp(-pixels * WHEEL_STEP * (turn.ctrlKey ? 6 : 1)), at);
    this.#moved();
  }

  /** @param {number} frame */
  goTo(frame) {
    this.picture?.goTo(frame);
    this.#tell();
  }

  /** @param {Point} by */
  #pan({ x, y }) {
    this.viewport.pan(x, y);
    this.#moved();
  }

  /**
   * To the right is wider, down is brighter values in the middle, as on workstations.
   * @param {Point} by
   */
  #dragWindow({ x, y }) {
    const { preview, isPresent } = this.film;
    if (!preview || !isPresent) return;
    const range = preview.range[1] - preview.range[0] || 1;
    const step = range / WHOLE_RANGE;
    const { center, width } = this.#exact;
    this.#exact = { center: center + y * step, width: Math.max(preview.leastWidth, step, width + x * step) };
    this.film.drag(tidy(this.#exact, range));
  }

  #letGo() {
    const window = this.film.letGo();
    if (!window) return;
    this.picture?.setWindow(window);
    this.#tell();
  }

  /** @param {Region} edges not rounded */
  #setRegion([left, top, right, bottom]) {
    if (!this.film.isPresent) return;
    const { width, height } = this.viewport.picture;
    const [x, y] = [clamp(0, Math.floor(left), width - 1), clamp(0, Math.floor(top), height - 1)];
    this.picture?.setRegion([x, y, clamp(x + 1, Math.ceil(right), width), clamp(y + 1, Math.ceil(bottom), height)]);
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("view-change"));
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const by = ARROWS.get(event.key);
    if (!by || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const [x, y] = by;
    if (this.tool === "window") {
      this.#exact = this.film.startingWindow;
      this.#dragWindow({ x: x * 8, y: y * 8 });
      this.#letGo();
    } else if (this.tool === "region") this.#moveRegion(x, y, event.shiftKey);
    else this.#pan({ x: -x * 40, y: -y * 40 });
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {boolean} isSize the lower right corner moves, and not the whole
   */
  #moveRegion(x, y, isSize) {
    const region = this.picture?.region;
    if (!region) {
      this.markMiddle();
      return;
    }
    const step = Math.max(1, Math.round(12 / this.viewport.scale));
    const { width, height } = this.viewport.picture;
    const [left, top, right, bottom] = region;
    if (isSize) {
      this.#setRegion([left, top, Math.max(left + 1, right + x * step), Math.max(top + 1, bottom + y * step)]);
      return;
    }
    const dx = clamp(-left, x * step, width - right);
    const dy = clamp(-top, y * step, height - bottom);
    this.#setRegion([left + dx, top + dy, right + dx, bottom + dy]);
  }
}

/** @type {ReadonlyMap<string, [number, number]>} */
const ARROWS = new Map([
  ["ArrowLeft", [-1, 0]],
  ["ArrowRight", [1, 0]],
  ["ArrowUp", [0, -1]],
  ["ArrowDown", [0, 1]],
]);

/**
 * @param {Region} region
 * @param {number} width
 * @param {number} height
 */
function marked([left, top, right, bottom], width, height) {
  const outside = `M0 0H${width}V${height}H0ZM${left} ${top}V${bottom}H${right}V${top}Z`;
  return svg`
    <path class="outside" d=${outside}></path>
    <rect class="edge" x=${left} y=${top} width=${right - left} height=${bottom - top}></rect>
  `;
}

/**
 * @param {Point} one
 * @param {Point} other
 * @returns {Region}
 */
function between(one, other) {
  const [left, right] = [Math.min(one.x, other.x), Math.max(one.x, other.x)];
  return [left, Math.min(one.y, other.y), right, Math.max(one.y, other.y)];
}

/**
 * @param {number} low
 * @param {number} value
 * @param {number} high
 */
function clamp(low, value, high) {
  return Math.max(low, Math.min(value, high));
}

/**
 * A window as people say it: whole numbers, unless the values are few.
 * @param {Window} window
 * @param {number} range of the values
 * @returns {Window}
 */
function tidy({ center, width }, range) {
  if (range <= 255) return { center: shown(center), width: shown(width) };
  return { center: Math.round(center), width: Math.max(1, Math.round(width)) };
}

/** @param {Window} window */
function windowWords({ center, width }) {
  return t("viewer.window_short", { center: String(shown(center)), width: String(shown(width)) });
}

/**
 * As many digits as anybody reads.
 * @param {number} value
 */
function shown(value) {
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4));
}

customElements.define("huatuo-stage", Stage);

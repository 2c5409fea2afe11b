/** Pointers and the wheel on the stage -> what is meant by them: a drag of one kind, a pinch, a turn of the wheel. */

/** @typedef {import("./viewport.js").Point} Point */
/** @typedef {"pan" | "window" | "region"} Tool */

/**
 * Points are in CSS pixels from the stage's upper left corner.
 * @typedef {object} Meaning
 * @property {() => Tool} tool of the primary button
 * @property {(tool: Tool, at: Point) => void} begin
 * @property {(tool: Tool, at: Point, by: Point) => void} move
 * @property {(tool: Tool, isDone: boolean) => void} end not done: a second finger came, or the system took over
 * @property {(factor: number, around: Point, by: Point) => void} pinch
 * @property {(turn: WheelEvent, at: Point) => void} wheel
 */

const MIDDLE = 1;
const RIGHT = 2;

/** Listens as long as its element lives. */
export class Gestures {
  /**
   * @param {HTMLElement} element
   * @param {Meaning} meaning
   */
  constructor(element, meaning) {
    this.#element = element;
    this.#meaning = meaning;
    element.addEventListener("pointerdown", (event) => this.#down(event));
    element.addEventListener("pointermove", (event) => this.#moved(event));
    element.addEventListener("pointerup", (event) => this.#gone(event, true));
    element.addEventListener("pointercancel", (event) => this.#gone(event, false));
    element.addEventListener("contextmenu", (event) => event.preventDefault());
    element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  #element;
  #meaning;
  /** @type {Map<number, Point>} */
  #pointers = new Map();
  /** @type {Tool | null} */
  #dragging = null;

  /** End the drag that is under way, as not done: what it began with is gone. */
  cancel() {
    this.#end(false);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    this.#element.setPointerCapture(event.pointerId);
    const at = this.#at(event);
    this.#pointers.set(event.pointerId, at);
    if (this.#pointers.size > 1) {
      this.#end(false);
      return;
    }
    this.#dragging = this.#meant(event);
    this.#meaning.begin(this.#dragging, at);
  }

  /** @param {PointerEvent} event */
  #moved(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const at = this.#at(event);
    const by = { x: at.x - before.x, y: at.y - before.y };
    if (this.#dragging) this.#meaning.move(this.#dragging, at, by);
    else this.#pinched(event.pointerId, before, at);
    this.#pointers.set(event.pointerId, at);
  }

  /**
   * @param {PointerEvent} event
   * @param {boolean} isDone
   */
  #gone(event, isDone) {
    if (this.#pointers.delete(event.pointerId)) this.#end(isDone);
  }

  /** @param {boolean} isDone */
  #end(isDone) {
    const tool = this.#dragging;
    this.#dragging = null;
    if (tool) this.#meaning.end(tool, isDone);
  }

  /**
   * @param {number} moving
   * @param {Point} before
   * @param {Point} at
   */
  #pinched(moving, before, at) {
    const still = [...this.#pointers].find(([id]) => id !== moving)?.[1];
    if (!still) return;
    const factor = distance(still, at) / Math.max(1, distance(still, before));
    const by = { x: (at.x - before.x) / 2, y: (at.y - before.y) / 2 };
    this.#meaning.pinch(factor, { x: (still.x + at.x) / 2, y: (still.y + at.y) / 2 }, by);
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    this.#meaning.wheel(event, this.#at(event));
  }

  /**
   * @param {PointerEvent} event
   * @returns {Tool}
   */
  #meant(event) {
    if (event.button === RIGHT || event.ctrlKey) return "window";
    return event.button === MIDDLE ? "pan" : this.#meaning.tool();
  }

  /** @param {MouseEvent} event */
  #at(event) {
    const { left, top } = this.#element.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }
}

/**
 * @param {Point} one
 * @param {Point} other
 */
function distance(one, other) {
  return Math.hypot(one.x - other.x, one.y - other.y);
}

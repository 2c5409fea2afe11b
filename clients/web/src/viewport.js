/** Where a picture lies on the stage: its scale, and the place of its upper left corner. */

/** @typedef {{width: number, height: number}} Size */
/** @typedef {{x: number, y: number}} Point */

/** So much of the picture always stays on the stage, pixels of the screen. */
const HOLD = 48;

const MOST_SCALE = 40;

/** All lengths are CSS pixels of the stage, but for `picture`, which is in pixels of the upright original. */
export class Viewport {
  /** @type {Size} */
  stage = { width: 0, height: 0 };
  /** @type {Size} */
  picture = { width: 1, height: 1 };
  scale = 1;
  x = 0;
  y = 0;
  isFitted = true;

  /** The scale at which all of the picture is seen. */
  get fitting() {
    return Math.min(this.stage.width / this.picture.width, this.stage.height / this.picture.height) || 1;
  }

  /** Show all of it, in the middle. */
  fit() {
    this.scale = this.fitting;
    this.x = (this.stage.width - this.picture.width * this.scale) / 2;
    this.y = (this.stage.height - this.picture.height * this.scale) / 2;
    this.isFitted = true;
  }

  /**
   * Another stage, or another picture: what was fitted is fitted again.
   * @param {Size} stage
   * @param {Size} picture
   */
  resize(stage, picture) {
    const isOther = picture.width !== this.picture.width || picture.height !== this.picture.height;
    this.stage = stage;
    this.picture = picture;
    if (this.isFitted || isOther) this.fit();
    else this.#hold();
  }

  /**
   * @param {number} factor
   * @param {Point} [around] a point of the stage that stays where it is; else its middle
   */
  zoom(factor, around = { x: this.stage.width / 2, y: this.stage.height / 2 }) {
    const least = Math.min(this.fitting / 2, 1);
    const scale = Math.min(Math.max(this.scale * factor, least), MOST_SCALE);
    this.x = around.x - ((around.x - this.x) * scale) / this.scale;
    this.y = around.y - ((around.y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.isFitted = false;
    this.#hold();
  }

  /**
   * @param {number} dx
   * @param {number} dy
   */
  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.isFitted = false;
    this.#hold();
  }

  /**
   * The pixel of the picture under a point of the stage; beyond the edges, the edge.
   * @param {Point} point
   * @returns {Point} not rounded
   */
  toPicture({ x, y }) {
    return {
      x: between(0, (x - this.x) / this.scale, this.picture.width),
      y: between(0, (y - this.y) / this.scale, this.picture.height),
    };
  }

  #hold() {
    const [width, height] = [this.picture.width * this.scale, this.picture.height * this.scale];
    this.x = between(HOLD - width, this.x, this.stage.width - HOLD);
    this.y = between(HOLD - height, this.y, this.stage.height - HOLD);
  }
}

/**
 * @param {number} low
 * @param {number} value
 * @param {number} high
 */
function between(low, value, high) {
  return Math.max(low, Math.min(value, high));
}

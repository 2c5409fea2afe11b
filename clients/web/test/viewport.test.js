import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Viewport } from "../src/viewport.js";

function viewport() {
  const made = new Viewport();
  made.resize({ width: 600, height: 400 }, { width: 1000, height: 1000 });
  return made;
}

const close = (found, wanted) => assert.ok(Math.abs(found - wanted) < 1e-9, `${found} is not ${wanted}`);

describe("a picture on the stage", () => {
  it("is fitted, and lies in the middle", () => {
    const { scale, x, y } = viewport();
    assert.deepEqual([scale, x, y], [0.4, 100, 0]);
  });

  it("is fitted again on another stage, until somebody moves it", () => {
    const view = viewport();
    view.resize({ width: 500, height: 500 }, view.picture);
    assert.equal(view.scale, 0.5);
    view.zoom(2);
    view.resize({ width: 800, height: 800 }, view.picture);
    assert.equal(view.scale, 1);
  });

  it("is fitted again where another one takes its place", () => {
    const view = viewport();
    view.zoom(3);
    view.resize(view.stage, { width: 300, height: 200 });
    assert.equal(view.scale, 2);
  });

  it("is enlarged around the pointer", () => {
    const view = viewport();
    const before = view.toPicture({ x: 250, y: 130 });
    view.zoom(2.5, { x: 250, y: 130 });
    const after = view.toPicture({ x: 250, y: 130 });
    close(after.x, before.x);
    close(after.y, before.y);
    assert.equal(view.scale, 1);
  });

  it("never leaves the stage, and is never lost in it", () => {
    const view = viewport();
    view.pan(-1e6, 1e6);
    assert.deepEqual([view.x, view.y], [48 - 400, 400 - 48]);
    view.zoom(1e-9);
    assert.equal(view.scale, 0.2);
    view.zoom(1e9);
    assert.equal(view.scale, 40);
  });

  it("has an edge beyond which a pointer is at the edge", () => {
    assert.deepEqual(viewport().toPicture({ x: -50, y: 900 }), { x: 0, y: 1000 });
  });
});

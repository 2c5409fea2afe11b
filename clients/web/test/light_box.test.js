import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { LightBox } from "../src/light_box.js";

class Film extends EventTarget {
  closed = false;

  constructor(key) {
    super();
    this.key = key;
  }

  close() {
    this.closed = true;
  }
}

/** A conversation that has sent these views. */
const having = (...keys) => ({ hasSent: (key) => keys.includes(key) });

function boxWith(...keys) {
  const box = new LightBox();
  box.add(keys.map((key) => new Film(key)));
  return box;
}

const keysOf = (pictures) => pictures.map(({ key }) => key);

describe("the light box", () => {
  it("shows the first of what came last, and its neighbour when that is taken away", () => {
    const box = boxWith("a");
    box.add([new Film("b"), new Film("c")]);
    assert.equal(box.current.key, "b");
    const [, removed] = box.pictures;
    box.remove(removed);
    assert.deepEqual([box.current.key, keysOf(box.pictures), removed.closed], ["c", ["a", "c"], true]);
    box.remove(box.current);
    assert.equal(box.current.key, "a");
  });

  it("lets go along what the model has not seen as it is looked at now", () => {
    const box = boxWith("a", "b");
    assert.deepEqual(keysOf(box.going(having("a"))), ["b"]);
    box.pictures[0].key = "a, windowed";
    assert.deepEqual(keysOf(box.going(having("a"))), ["a, windowed", "b"]);
  });

  it("leaves out what its reader does not want to send, until he takes it along or changes it", () => {
    const box = boxWith("a", "b");
    box.leaveOut("a");
    assert.deepEqual([keysOf(box.going(having())), box.numLeftOut(having())], [["b"], 1]);
    box.takeAlong();
    assert.deepEqual([box.going(having()).length, box.numLeftOut(having())], [2, 0]);
    box.leaveOut("a");
    box.pictures[0].key = "a, windowed";
    assert.equal(box.going(having()).length, 2);
  });

  it("tells that files are being read, and that they are no more", () => {
    const box = boxWith("a");
    const told = [];
    box.addEventListener("change", () => told.push(box.isReading));
    box.read(true);
    box.read(false);
    assert.deepEqual(told, [true, false]);
  });

  it("tells of every change of its pictures, as long as they lie on it", () => {
    const box = boxWith("a");
    let told = 0;
    box.addEventListener("change", () => (told += 1));
    const [picture] = box.pictures;
    picture.dispatchEvent(new Event("change"));
    assert.equal(told, 1);
    box.clear();
    picture.dispatchEvent(new Event("change"));
    assert.deepEqual([told, box.pictures.length, box.current, picture.closed], [2, 0, null, true]);
  });
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";

import { channelShades, paintColour, paintGrey, PRESETS, shadesOf } from "../src/windowing.js";

// The server's own code made these.
const vectors = JSON.parse(readFileSync(new URL("data/windowing.json", import.meta.url), "utf8"));

const pixelsOf = (...rgba) => new Uint32Array(Uint8Array.from(rgba).buffer);

describe("grey values through a window", () => {
  it("have the server's shades, for each of DICOM's functions", () => {
    for (const { stored, window, shades } of vectors.grey) {
      const all = shadesOf(stored, window, stored.function);
      const found = vectors.numbers.map((number) => all[number]);
      assert.deepEqual(found, shades, JSON.stringify({ stored, window }));
    }
  });

  it("are painted as opaque greys", () => {
    const shades = new Uint8Array(65536);
    shades[7] = 200;
    const pixels = new Uint32Array(2);
    paintGrey(Uint16Array.of(7, 8), shades, pixels);
    assert.deepEqual(pixels, pixelsOf(200, 200, 200, 255, 0, 0, 0, 255));
  });
});

describe("colours through a window", () => {
  it("have the server's shades, each channel alike", () => {
    for (const { window, shades } of vectors.channel) {
      assert.deepEqual([...channelShades(window)], shades, JSON.stringify(window));
    }
  });

  it("keep their channels apart", () => {
    const pixels = new Uint32Array(1);
    paintColour(pixelsOf(10, 20, 30, 255), Uint8Array.from({ length: 256 }, (_, value) => 255 - value), pixels);
    assert.deepEqual(pixels, pixelsOf(245, 235, 225, 255));
  });
});

describe("the presets", () => {
  it("are five, on the keys 1 to 5", () => {
    assert.deepEqual([...PRESETS.keys()], ["soft-tissue", "lung", "liver", "bone", "brain"]);
  });
});

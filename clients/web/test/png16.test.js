import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { deflateSync } from "node:zlib";

import { decode } from "../src/png16.js";

const { png } = JSON.parse(readFileSync(new URL("data/windowing.json", import.meta.url), "utf8"));

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Nobody reads the checksum. */
function chunk(kind, payload) {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(payload.length);
  head.write(kind, 4, "latin1");
  return Buffer.concat([head, payload, Buffer.alloc(4)]);
}

function header(width, height, { depth = 16, colour = 0, interlace = 0 } = {}) {
  const payload = Buffer.alloc(13);
  payload.writeUInt32BE(width);
  payload.writeUInt32BE(height, 4);
  payload.set([depth, colour, 0, 0, interlace], 8);
  return chunk("IHDR", payload);
}

const file = (...chunks) => new Blob([Buffer.concat([Buffer.from(SIGNATURE), ...chunks])]);

/** A row of bytes with one of PNG's five filters, by the definitions of its specification. */
function filtered(filter, row, above) {
  const left = (i) => (i < 2 ? 0 : row[i - 2]);
  const corner = (i) => (i < 2 ? 0 : above[i - 2]);
  const paeth = (i) => {
    const guess = left(i) + above[i] - corner(i);
    const candidates = [left(i), above[i], corner(i)];
    const distances = candidates.map((one) => Math.abs(guess - one));
    return candidates[distances.indexOf(Math.min(...distances))];
  };
  const guesses = [() => 0, left, (i) => above[i], (i) => (left(i) + above[i]) >> 1, paeth];
  return [filter, ...row.map((byte, i) => (byte - guesses[filter](i)) & 0xff)];
}

/** Bytes that look like noise, and are the same each time. */
const bytes = (length, seed) => Array.from({ length }, (_, i) => ((i + 1) * 7919 * (seed + 3) + i * i * 31) & 0xff);

describe("a 16-bit PNG", () => {
  it("gives the numbers that the server wrote", async () => {
    for (const { name, width, height, numbers, base64 } of png) {
      const found = await decode(new Blob([Buffer.from(base64, "base64")]));
      assert.deepEqual({ ...found, numbers: [...found.numbers] }, { width, height, numbers }, name);
    }
  });

  it("is undone of each of the five filters", async () => {
    const rows = [4, 3, 2, 1, 0, 4].map((filter, place) => ({ filter, row: bytes(10, place) }));
    const above = (place) => rows[place - 1]?.row ?? Array(10).fill(0);
    const lines = rows.map(({ filter, row }, place) => filtered(filter, row, above(place)));
    const data = deflateSync(Buffer.from(lines.flat()));
    const { numbers } = await decode(file(header(5, 6), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))));
    const wanted = rows.flatMap(({ row }) => [0, 2, 4, 6, 8].map((i) => row[i] * 256 + row[i + 1]));
    assert.deepEqual([...numbers], wanted);
  });

  it("may come in several pieces, with other chunks between", async () => {
    const data = deflateSync(Buffer.from([0, 1, 2, 3, 4]));
    const pieces = [chunk("IDAT", data.subarray(0, 3)), chunk("IDAT", data.subarray(3))];
    const { numbers } = await decode(file(header(2, 1), chunk("tEXt", Buffer.from("a")), ...pieces));
    assert.deepEqual([...numbers], [258, 772]);
  });

  it("is refused where it is another kind of PNG, cut short, or none", async () => {
    const data = chunk("IDAT", deflateSync(Buffer.from([0, 1, 2])));
    for (const wrong of [
      file(header(1, 1, { depth: 8 }), data),
      file(header(1, 1, { colour: 2 }), data),
      file(header(1, 1, { interlace: 1 }), data),
      file(header(1, 2), data),
      file(header(1, 1)),
      file(data),
      new Blob(["GIF89a"]),
    ]) {
      await assert.rejects(decode(wrong), /PNG/);
    }
  });

  it("is refused where a row has a filter that there is not", async () => {
    const data = chunk("IDAT", deflateSync(Buffer.from([5, 1, 2])));
    await assert.rejects(decode(file(header(1, 1), data)), /damaged/);
  });
});

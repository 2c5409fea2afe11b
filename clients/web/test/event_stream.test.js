import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { EventStream } from "../src/event_stream.js";

const bytesOf = (text) => new TextEncoder().encode(text);

function readIn(pieces) {
  const stream = new EventStream();
  return pieces.flatMap((piece) => stream.push(piece));
}

const oneByOne = (text) => readIn([...bytesOf(text)].map((byte) => Uint8Array.of(byte)));

describe("EventStream", () => {
  it("gives the same events however the bytes are cut, within a character too", () => {
    const text = 'data: {"text": "肺结节 🫁"}\n\ndata: two\n\ndata: [DONE]\n\n';
    const expected = ['{"text": "肺结节 🫁"}', "two", "[DONE]"];
    assert.deepEqual(readIn([bytesOf(text)]), expected);
    assert.deepEqual(oneByOne(text), expected);
    for (let cut = 1; cut < bytesOf(text).length; cut += 1) {
      assert.deepEqual(readIn([bytesOf(text).slice(0, cut), bytesOf(text).slice(cut)]), expected);
    }
  });

  for (const [name, end] of [["a newline", "\n"], ["a return", "\r"], ["both", "\r\n"]]) {
    it(`takes ${name} for the end of a line`, () => {
      const text = ["data: one", "", "data: a", "data: b", "", ""].join(end);
      assert.deepEqual(readIn([bytesOf(text)]), ["one", "a\nb"]);
      assert.deepEqual(oneByOne(text), ["one", "a\nb"]);
    });
  }

  it("passes over comments, names, ids and empty events", () => {
    const text = ": keep-alive\n\nevent: x\nid: 7\nretry: 10\n\nevent: y\ndata: one\ndatabase: no\n\n";
    assert.deepEqual(readIn([bytesOf(text)]), ["one"]);
  });

  it("takes one blank behind the colon away, and no more", () => {
    assert.deepEqual(readIn([bytesOf("data:a\n\ndata:  b \n\ndata\n\n")]), ["a", " b ", ""]);
  });

  it("keeps back an event that has not ended", () => {
    assert.deepEqual(readIn([bytesOf("data: one\n\ndata: two\n")]), ["one"]);
  });

  it("drops a byte order mark", () => {
    assert.deepEqual(oneByOne("\ufeffdata: one\n\n"), ["one"]);
  });
});

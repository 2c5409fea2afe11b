import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Draft } from "../src/draft.js";

/** A film that is there. */
const film = (key, facts = {}) => ({
  key,
  state: "ready",
  isSettled: true,
  settled: async () => undefined,
  sent() {
    return `sent ${this.key}`;
  },
  ...facts,
});

describe("what goes with a question", () => {
  it("is every picture as it was when the question was asked", async () => {
    const films = [film("a"), film("b")];
    const draft = new Draft("What?", films);
    await draft.settled();
    assert.deepEqual(draft.pictures(films, films), ["sent a", "sent b"]);
  });

  it("is awaited", async () => {
    let arrive;
    const late = film("a", { isSettled: false, settled: () => new Promise((resolve) => (arrive = resolve)) });
    const draft = new Draft("What?", [late]);
    let isThere = false;
    const waiting = draft.settled().then(() => (isThere = true));
    await Promise.resolve();
    assert.equal(isThere, false);
    late.isSettled = true;
    arrive();
    await waiting;
    assert.deepEqual(draft.pictures([late], [late]), ["sent a"]);
  });

  it("is nothing where a view was changed meanwhile, even though it is there", () => {
    const [first, second] = [film("a"), film("b")];
    const draft = new Draft("What?", [first, second]);
    first.key = "a, region";
    assert.equal(draft.pictures([first, second], [first, second]), "changed");
  });

  it("is nothing where what was seen is not of the present view", () => {
    const behind = film("a", { isSettled: false });
    assert.equal(new Draft("What?", [behind]).pictures([behind], [behind]), "changed");
  });

  it("is without what was left out or taken away meanwhile, and without what came", () => {
    const [left, removed, stays, came] = ["a", "b", "c", "d"].map((key) => film(key));
    const draft = new Draft("What?", [left, removed, stays]);
    assert.deepEqual(draft.pictures([left, stays, came], [stays, came]), ["sent c"]);
  });

  it("is nothing where a picture failed", () => {
    const broken = film("a", { state: "failed", isSettled: false });
    assert.equal(new Draft("What?", [broken]).pictures([broken], [broken]), "failed");
  });
});

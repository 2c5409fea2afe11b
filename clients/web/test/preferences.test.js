import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Preferences } from "../src/preferences.js";

class FakeStorage {
  texts = new Map();

  getItem(name) {
    return this.texts.get(name) ?? null;
  }

  setItem(name, value) {
    this.texts.set(name, String(value));
  }

  removeItem(name) {
    this.texts.delete(name);
  }
}

function forbidden() {
  throw new Error("The browser forbids it.");
}

describe("Preferences", () => {
  it("begin dark, in the browser's language, without a key", () => {
    const fresh = new Preferences(() => new FakeStorage(), () => new FakeStorage());
    assert.deepEqual([fresh.theme, fresh.language, fresh.key], ["dark", null, null]);
  });

  it("outlast the page, but for the key, which goes with the tab", () => {
    const lasting = new FakeStorage();
    const session = new FakeStorage();
    const chosen = new Preferences(() => lasting, () => session);
    chosen.theme = "light";
    chosen.language = "zh-CN";
    chosen.key = "secret";
    const later = new Preferences(() => lasting, () => new FakeStorage());
    assert.deepEqual([later.theme, later.language, later.key], ["light", "zh-CN", null]);
    assert.doesNotMatch(JSON.stringify([...lasting.texts]), /secret/);
    assert.equal(new Preferences(() => lasting, () => session).key, "secret");
  });

  it("can be taken back", () => {
    const lasting = new FakeStorage();
    const session = new FakeStorage();
    const chosen = new Preferences(() => lasting, () => session);
    chosen.language = "en";
    chosen.language = null;
    chosen.key = "secret";
    chosen.key = null;
    assert.deepEqual([chosen.language, chosen.key, session.texts.size, lasting.texts.size], [null, null, 0, 0]);
  });

  it("take nothing from a storage that was never theirs to write", () => {
    const lasting = new FakeStorage();
    lasting.setItem("huatuo.theme", "neon");
    lasting.setItem("huatuo.language", "__proto__");
    const read = new Preferences(() => lasting, () => new FakeStorage());
    assert.deepEqual([read.theme, read.language], ["dark", null]);
  });

  it("hold as long as the page where the browser keeps nothing", () => {
    const chosen = new Preferences(forbidden, forbidden);
    chosen.theme = "light";
    chosen.key = "secret";
    assert.deepEqual([chosen.theme, chosen.key], ["light", "secret"]);
    chosen.key = null;
    assert.equal(chosen.key, null);
  });
});

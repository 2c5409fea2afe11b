import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, it } from "node:test";

import en from "../src/locales/en.js";
import zhCN from "../src/locales/zh-CN.js";
import { chosenLanguage, language, setLanguage, t, Words } from "../src/words.js";

afterEach(() => setLanguage("en"));

const SOURCES = new URL("../src/", import.meta.url);

const sources = readdirSync(SOURCES)
  .filter((name) => name.endsWith(".js"))
  .map((name) => readFileSync(new URL(name, SOURCES), "utf8"))
  .join("\n");

const placeholders = (text) => [...text.matchAll(/\{\w+\}/g)].map(([name]) => name).sort();

/** Keys as the sources write them: whole, or with a part that they work out. */
const literals = new Set([...sources.matchAll(/"([\w-]+(?:\.[\w-]+)+)"/g)].map(([, key]) => key));
const patterns = [...sources.matchAll(/`([\w-]+\.(?:[\w.-]|\$\{[^}`]+\})+)`/g)]
  .filter(([, key]) => key.includes("${"))
  .map(([, key]) => key.replaceAll(".", "\\.").replace(/\$\{[^}]+\}/g, "[\\w-]+"))
  .map((pattern) => new RegExp(`^${pattern}$`));

describe("the two locales", () => {
  it("hold the same texts, but for a singular that Chinese does not need", () => {
    const needed = Object.keys(en).filter((key) => !key.endsWith(".one"));
    assert.deepEqual(Object.keys(zhCN).filter((key) => !key.endsWith(".one")).sort(), needed.sort());
  });

  it("have the same placeholders", () => {
    for (const [key, text] of Object.entries(zhCN)) assert.deepEqual(placeholders(text), placeholders(en[key]), key);
  });

  it("have a plural for each singular, with a count in it or left to it", () => {
    const singular = Object.keys(en).filter((key) => key.endsWith(".one"));
    for (const key of singular) assert.ok(key.slice(0, -".one".length) in en, key);
  });

  it("have no empty text, and no blank around one", () => {
    const texts = [...Object.entries(en), ...Object.entries(zhCN)];
    for (const [key, text] of texts) assert.ok(text && text === text.trim(), key);
  });

  it("write Chinese with Chinese punctuation", () => {
    for (const [key, text] of Object.entries(zhCN)) assert.doesNotMatch(text, /\p{Script=Han}[,;:!?()]/u, key);
  });

  it("hold every text that the page asks for", () => {
    const asked = [...sources.matchAll(/\bt\(\s*"([^"]+)"/g)].map(([, key]) => key);
    assert.deepEqual(asked.filter((key) => !(key in en)), []);
  });

  it("hold no text that the page never asks for", () => {
    const base = Object.keys(en).map((key) => key.replace(/\.one$/, ""));
    const unused = base.filter((key) => !literals.has(key) && !patterns.some((pattern) => pattern.test(key)));
    assert.deepEqual(unused, []);
  });
});

describe("the language", () => {
  for (const [wanted, expected] of [
    [["zh-CN", "en"], "zh-CN"],
    [["zh-Hant-TW"], "zh-CN"],
    [["de-DE", "zh"], "zh-CN"],
    [["en-GB", "zh"], "en"],
    [["fr"], "en"],
    [[], "en"],
  ]) {
    it(`for a reader of ${wanted.join(", ") || "nothing"} is ${expected}`, () => {
      assert.equal(chosenLanguage(wanted), expected);
    });
  }

  it("is told to whoever shows words, as long as they are shown", () => {
    let updates = 0;
    const words = new Words({ addController: () => {}, requestUpdate: () => (updates += 1) });
    words.hostConnected();
    setLanguage("zh-CN");
    setLanguage("zh-CN");
    words.hostDisconnected();
    setLanguage("en");
    assert.deepEqual([updates, language()], [1, "en"]);
  });
});

describe("a text", () => {
  it("is in the present language", () => {
    const english = t("error.cut.title");
    setLanguage("zh-CN");
    assert.notEqual(t("error.cut.title"), english);
  });

  it("takes values, numbers as the language writes them", () => {
    assert.equal(t("export.frame", { frame: 3, frames: 1200 }), "Frame 3 of 1,200");
  });

  it("is left as it is where a value is missing", () => {
    assert.equal(t("export.frame", { frame: 3 }), "Frame 3 of {frames}");
  });

  it("never takes a value's own braces for a placeholder", () => {
    assert.equal(t("export.title", { model: "{model}$&" }), "Conversation with {model}$&");
  });
});

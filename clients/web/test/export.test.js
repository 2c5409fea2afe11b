import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";

import { ApiError } from "../src/api.js";
import { asJson, asMarkdown, asText, fileName, recordOf } from "../src/export.js";
import { setLanguage } from "../src/words.js";

afterEach(() => setLanguage("en"));

const MODEL = {
  id: "HuatuoGPT-Vision-7B",
  family: "HuatuoGPT-Vision-7B",
  system_fingerprint: "fp_1",
  digest: "sha256:aa",
  versions: { "huatuo-server": "1.0" },
  defaults: { temperature: 0.2, max_tokens: 512 },
  prompt_format: { round: "{user}" },
};

const PROVENANCE = {
  sha256: "ab12",
  format: "DICOM",
  width: 2048,
  height: 2500,
  bit_depth: 12,
  frame: 3,
  frames: 20,
  window: { center: 40, width: 400, source: "preset" },
  region: [10, 20, 300, 400],
  warnings: ["Downscaled 7.4 times: detail smaller than that many pixels is not seen."],
};

const SENT = {
  part: { type: "file", file: { file_id: "file-7", view: { frame: 3, preset: "soft-tissue" } } },
  label: "ZHANG_SAN.dcm",
  thumbnail: "blob:http://127.0.0.1/1",
  picture: new Blob(["PNG"]),
  provenance: PROVENANCE,
  key: "k",
};

const answer = (facts = {}) => ({
  text: "No.",
  state: "done",
  error: null,
  ttftMs: 139.6,
  usage: { prompt_tokens: 600, completion_tokens: 3, total_tokens: 603, prompt_tokens_details: { cached_tokens: 0 } },
  images: [],
  ...facts,
});

const turn = (facts = {}) => {
  return { id: "turn-1", question: "Is the heart enlarged?", pictures: [SENT], answer: answer(facts) };
};

const NOW = new Date("2026-05-04T03:02:01Z");
const urlOf = async (blob) => `data:image/png;base64,${Buffer.from(await blob.text()).toString("base64")}`;
const record = (turns, model = MODEL) => recordOf(turns, model, NOW, urlOf);

describe("the JSON of a conversation", () => {
  it("holds questions, pictures, answers, settings and provenance", async () => {
    const read = JSON.parse(asJson(await record([turn()])));
    const [{ question, pictures, answer: said }] = read.turns;
    assert.equal(read.object, "huatuo.conversation");
    assert.equal(read.exported_at, "2026-05-04T03:02:01.000Z");
    assert.deepEqual(read.settings, MODEL.defaults);
    assert.deepEqual(read.model.digest, "sha256:aa");
    assert.equal(question, "Is the heart enlarged?");
    assert.deepEqual(pictures, [
      { view: { frame: 3, preset: "soft-tissue" }, provenance: PROVENANCE, image: "data:image/png;base64,UE5H" },
    ]);
    assert.deepEqual([said.text, said.complete, said.ttft_ms, said.usage.total_tokens], ["No.", true, 140, 603]);
  });

  it("has the provenance that came with the answer, where one came", async () => {
    const told = { ...PROVENANCE, tokens: 576 };
    const { turns } = await record([turn({ images: [told] })]);
    assert.deepEqual(turns[0].pictures[0].provenance, told);
  });

  it("says that an answer is not whole, and why", async () => {
    const failed = turn({ state: "failed", error: new ApiError({ code: "cut" }) });
    const { turns } = await record([failed, turn({ state: "length" })]);
    assert.deepEqual(turns.map((one) => one.answer.complete), [false, false]);
    assert.equal(turns[0].answer.error, "The answer broke off");
  });

  it("says that the model is a toy", async () => {
    const { model } = await record([], { ...MODEL, demo: "A demo." });
    assert.equal(model.demo, "A demo.");
    assert.ok(!("demo" in (await record([])).model));
  });
});

describe("the Markdown of a conversation", () => {
  it("reads in order: notice, question, picture with its facts, answer", async () => {
    const text = asMarkdown(await record([turn()], { ...MODEL, demo: "A demo." }));
    const inOrder = [
      "# Conversation with HuatuoGPT-Vision-7B",
      "**Research use only.",
      "A demo.",
      "Model: HuatuoGPT-Vision-7B, fp_1, sha256:aa",
      "Software: huatuo-server: 1.0",
      "Settings: temperature: 0.2, max_tokens: 512",
      "## Question 1",
      "![Image 1](data:image/png;base64,UE5H)",
      "- DICOM, 2048 × 2500 pixels, 12 bits",
      "- Frame 3 of 20",
      "- Window: center 40, width 400",
      "- Region: 10, 20, 300, 400",
      "ab12",
      "- Downscaled 7.4 times",
      "> Is the heart enlarged?",
      "### Answer",
      "> No.",
      "prompt_tokens: 600, completion_tokens: 3, total_tokens: 603\n",
    ].map((part) => text.indexOf(part));
    assert.ok(!inOrder.includes(-1), String(inOrder));
    assert.deepEqual(inOrder, [...inOrder].sort((a, b) => a - b));
  });

  for (const [state, mark] of [
    ["length", "cut off at its maximum length"],
    ["stopped", "stopped by hand"],
    ["failed", "failed. Something went wrong"],
    ["streaming", "still being written"],
  ]) {
    it(`marks an answer that is ${state}`, async () => {
      assert.match(asMarkdown(await record([turn({ state })])), new RegExp(`\\*\\*Incomplete: [^*]*${mark}`));
    });
  }

  it("keeps what was said inside its quotation, and loads and runs nothing", async () => {
    const links = "[x](javascript:alert(1)) [y]\n[y]: javascript:alert(1)";
    const text = `# Heading\r\n\r\n\`\`\`\n<script>alert(1)</script>\n![x](https://example.org/x.png)\n${links}`;
    const written = asMarkdown(await record([{ ...turn({ text }), pictures: [], question: text }]));
    assert.doesNotMatch(written, /<script|!\[|\]\(|\]:/);
    assert.equal(written.match(/^# /gm).length, 1);
    assert.equal(written.match(/^> # Heading$/gm).length, 2);
  });

  it("is in the language of the page", async () => {
    setLanguage("zh-CN");
    assert.match(asMarkdown(await record([turn()])), /## 问题 1/);
  });
});

describe("an answer that is copied", () => {
  it("is as it was said", () => {
    assert.equal(asText(answer({ text: " **No.**\n" })), " **No.**\n");
  });

  for (const [state, mark] of [
    ["length", "cut off at its maximum length"],
    ["stopped", "stopped by hand"],
    ["failed", "failed. Something went wrong"],
  ]) {
    it(`says at its end that it is not whole: ${state}`, () => {
      assert.match(asText(answer({ state })), new RegExp(`^No\\.\n\nIncomplete: .*${mark}`));
    });
  }
});

describe("both", () => {
  it("leave out the names of files and the ids of uploads", async () => {
    const kept = await record([turn()]);
    for (const text of [asJson(kept), asMarkdown(kept)]) assert.doesNotMatch(text, /ZHANG|file-7|blob:/);
  });

  it("are named by their time", async () => {
    assert.equal(fileName(await record([]), "md"), "conversation-2026-05-04T03-02-01.md");
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ApiError } from "../src/api.js";
import { maxImages, measured, numToDrop, weighed } from "../src/context.js";

const MODEL = {
  id: "m",
  max_model_len: 4608,
  max_images_per_request: 6,
  max_images_in_context: 7,
  tokens_per_image: 576,
  defaults: { max_tokens: 512 },
};

const PART = { type: "file", file: { file_id: "file-1" } };

const turn = (numPictures, text = "") => ({ question: text, pictures: Array(numPictures).fill({}), answer: { text } });

const asked = (numImages, text) => {
  return { role: "user", content: [...Array(numImages).fill(PART), { type: "text", text }] };
};

describe("the images of one request", () => {
  it("are as many as the server and the context both allow", () => {
    assert.equal(maxImages(MODEL), 6);
    assert.equal(maxImages({ ...MODEL, max_images_in_context: 2 }), 2);
  });
});

describe("the state", () => {
  const state = (numImages, numTokens) => weighed(MODEL, { numImages, numTokens, exact: true, numTurns: 1 }).state;

  it("is room while a whole answer fits", () => {
    assert.deepEqual([state(6, 4096), state(0, 20)], ["room", "room"]);
  });

  it("is tight where an answer may be cut short", () => {
    assert.deepEqual([state(6, 4097), state(6, 4607)], ["tight", "tight"]);
  });

  it("is full where the server would refuse the question", () => {
    assert.deepEqual([state(7, 4050), state(1, 4608)], ["full", "full"]);
  });
});

describe("measured", () => {
  const messages = [asked(2, "Is the heart enlarged?"), { role: "assistant", content: "No." }, asked(1, "And here?")];

  it("has the server count", async () => {
    const bodies = [];
    const api = { numTokens: async (body) => (bodies.push(body), 1800) };
    const context = await measured(api, MODEL, messages);
    assert.deepEqual(
      context,
      { numImages: 3, maxImages: 6, numTokens: 1800, exact: true, maxTokens: 4608, numTurns: 2, state: "room" },
    );
    assert.deepEqual(bodies, [{ model: "m", messages }]);
  });

  it("estimates, rather too many than too few, where the server cannot be asked", async () => {
    const api = { numTokens: async () => Promise.reject(new ApiError({ code: "unreachable" })) };
    const { exact, numTokens } = await measured(api, MODEL, messages);
    assert.equal(exact, false);
    assert.ok(numTokens > 3 * 576 + 12 && numTokens < 3 * 576 + 80, String(numTokens));
  });

  it("counts a Chinese character as a token", async () => {
    const api = { numTokens: async () => Promise.reject(new ApiError({ code: "server_busy" })) };
    const few = await measured(api, MODEL, [{ role: "user", content: "" }]);
    const more = await measured(api, MODEL, [{ role: "user", content: "心脏是否增大？" }]);
    assert.equal(more.numTokens - few.numTokens, 7);
  });

  it("passes on that its caller aborted it", async () => {
    const abort = new DOMException("", "AbortError");
    const api = { numTokens: () => Promise.reject(abort) };
    await assert.rejects(measured(api, MODEL, messages), (error) => error === abort);
  });
});

describe("numToDrop", () => {
  it("is none where the next question fits", () => {
    assert.equal(numToDrop(MODEL, [turn(2), turn(2)], turn(2)), 0);
    assert.equal(numToDrop(MODEL, [], turn(6)), 0);
  });

  it("is as few of the oldest as make room for the images", () => {
    assert.equal(numToDrop(MODEL, [turn(2), turn(3), turn(1)], turn(1)), 1);
    assert.equal(numToDrop(MODEL, [turn(1), turn(1), turn(4)], turn(2)), 2);
  });

  it("makes room for the text, and an answer of the usual length", () => {
    const long = turn(0, "word ".repeat(500));
    assert.equal(numToDrop(MODEL, [long, long, long], turn(0, "And now?")), 1);
  });

  it("is all of them where not even that is enough", () => {
    assert.equal(numToDrop(MODEL, [turn(1), turn(1)], turn(7)), 2);
  });
});

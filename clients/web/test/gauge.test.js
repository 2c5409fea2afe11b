import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";

import { Gauge } from "../src/gauge.js";

const MODEL = {
  id: "m",
  max_model_len: 4608,
  max_images_per_request: 6,
  max_images_in_context: 7,
  tokens_per_image: 576,
  defaults: { max_tokens: 512 },
};

const film = (key, state = "ready") => ({ key, state, part: () => ({ type: "file", file: { file_id: key } }) });
const turn = (id, num) => ({ id, question: "What?", pictures: Array(num).fill({}), answer: { text: "A." } });

function conversationOf(turns, busy = false) {
  const parts = (pictures) => pictures.map((picture) => picture.part ?? { type: "file", file: { file_id: "f" } });
  return {
    standing: turns,
    busy,
    messages: (draft) => [...turns, draft].map(({ pictures }) => ({ role: "user", content: parts(pictures) })),
  };
}

/** A gauge, and how often it asked. */
function gauge(numTokens = 1000) {
  const api = {
    asked: 0,
    async numTokens() {
      api.asked += 1;
      return numTokens;
    },
  };
  return { api, gauge: new Gauge(api) };
}

describe("the gauge", () => {
  it("counts pictures and turns with what goes along next", async () => {
    const { gauge: one } = gauge();
    one.look(MODEL, conversationOf([turn("1", 2)]), [film("a"), film("b", "uploading")], "And now?");
    await once(one, "change");
    const { numImages, numTurns, numTokens, exact, state } = one.context;
    assert.deepEqual([numImages, numTurns, numTokens, exact, state], [3, 1, 1000, true, "room"]);
  });

  it("measures again only when something came or went, and not while an answer streams", async () => {
    const { gauge: one, api } = gauge();
    const turns = [turn("1", 1)];
    one.look(MODEL, conversationOf(turns), [], "");
    await once(one, "change");
    one.look(MODEL, conversationOf(turns), [], "a longer question");
    one.look(MODEL, conversationOf([...turns, turn("2", 1)], true), [], "");
    one.look(null, conversationOf([]), [], "");
    assert.equal(api.asked, 1);
  });

  it("says how many of the oldest turns must go when it is full", async () => {
    const { gauge: one } = gauge(5000);
    one.look(MODEL, conversationOf([turn("1", 4), turn("2", 2)]), [film("a")], "");
    await once(one, "change");
    assert.deepEqual([one.context.state, one.numToDrop], ["full", 1]);
  });

  it("takes a warning back as soon as something goes, before it has measured again", async () => {
    const { gauge: one } = gauge(5000);
    one.look(MODEL, conversationOf([turn("1", 4)]), [], "");
    await once(one, "change");
    assert.equal(one.context.state, "full");
    one.look(MODEL, conversationOf([turn("2", 1)]), [], "");
    assert.deepEqual([one.context, one.numToDrop], [null, 0]);
  });

  it("measures nothing where nothing is", async () => {
    const { gauge: one, api } = gauge();
    one.look(MODEL, conversationOf([]), [], "What?");
    assert.deepEqual([one.context, api.asked], [null, 0]);
  });
});

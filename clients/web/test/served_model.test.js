import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";

import { ApiError } from "../src/api.js";
import { ServedModel } from "../src/served_model.js";

const MODEL = { id: "served" };

/** A server that says these one after the other, the last one for ever: a model, or an error to fail with. */
function saying(...answers) {
  const asked = { count: 0 };
  const models = async () => {
    const answer = answers[Math.min(asked.count, answers.length - 1)];
    asked.count += 1;
    if (answer instanceof Error) throw answer;
    return [answer];
  };
  return { asked, models };
}

/** Lets what waits for promises go on. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

async function pass(ms) {
  mock.timers.tick(ms);
  await settled();
}

describe("the served model", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
  afterEach(() => mock.timers.reset());

  it("is asked for again where it was not told, later each time, and then no more", async () => {
    const server = saying(new ApiError({ code: "server_busy" }), new ApiError({ code: "unreachable" }), MODEL);
    const served = new ServedModel(server);
    await served.ask();
    await pass(999);
    assert.equal(server.asked.count, 1);
    await pass(1);
    assert.equal(server.asked.count, 2);
    await pass(1_999);
    assert.deepEqual([server.asked.count, served.model], [2, null]);
    await pass(1);
    assert.equal(served.model, MODEL);
    await pass(60_000);
    assert.equal(server.asked.count, 3);
  });

  it("is waited for as long as the server says", async () => {
    const server = saying(new ApiError({ code: "rate_limit_exceeded", retryAfterS: 7 }), MODEL);
    const served = new ServedModel(server);
    await served.ask();
    await pass(6_999);
    assert.equal(server.asked.count, 1);
    await pass(1);
    assert.equal(served.model, MODEL);
  });

  for (const code of ["invalid_api_key", "insufficient_scope"]) {
    it(`is not asked for again where another key is needed: ${code}`, async () => {
      const server = saying(new ApiError({ code }), MODEL);
      const served = new ServedModel(server);
      await served.ask();
      await pass(60_000);
      assert.deepEqual([server.asked.count, served.needsKey], [1, true]);
      await served.ask();
      assert.deepEqual([served.needsKey, served.model], [false, MODEL]);
    });
  }

  it("is not asked for once nobody wants to know", async () => {
    const server = saying(new ApiError({ code: "unreachable" }));
    const served = new ServedModel(server);
    await served.ask();
    served.stop();
    await pass(60_000);
    assert.equal(server.asked.count, 1);
  });
});

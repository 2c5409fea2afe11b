import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";

import { ServerState } from "../src/server_state.js";

/** A server that says these one after the other; "unreachable" is an error. */
function saying(...statuses) {
  const asked = { count: 0 };
  const readiness = async () => {
    const status = statuses[Math.min(asked.count, statuses.length - 1)];
    asked.count += 1;
    if (status === "unreachable") throw new Error("no connection");
    return { status, phase: status, reason: null };
  };
  return { asked, readiness };
}

/** Lets what waits for promises go on. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("the server's state", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
  afterEach(() => mock.timers.reset());

  it("is asked every ten seconds, and every two while something is wrong", async () => {
    const server = saying("ok", "unreachable", "ok");
    const state = new ServerState(server);
    await state.watch();
    mock.timers.tick(9_999);
    assert.equal(server.asked.count, 1);
    mock.timers.tick(1);
    await settled();
    assert.equal(state.status, "unreachable");
    mock.timers.tick(2_000);
    await settled();
    assert.equal(state.status, "ok");
    state.stop();
  });

  it("tells of a change, and of nothing else", async () => {
    const state = new ServerState(saying("starting", "starting", "ok"));
    const told = [];
    state.addEventListener("change", () => told.push(state.status));
    for (let time = 0; time < 3; time += 1) await state.watch();
    assert.deepEqual(told, ["starting", "ok"]);
    state.stop();
  });
});

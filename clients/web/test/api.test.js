import assert from "node:assert/strict";
import { File } from "node:buffer";
import { once } from "node:events";
import { afterEach, describe, it } from "node:test";

import { Api, ApiError } from "../src/api.js";
import { answering, withJson } from "./answering_server.js";

const PART = { type: "file", file: { file_id: "file-1", view: { preset: "lung" } } };
const BUSY = { error: { message: "Busy.", type: "server_error", code: "server_busy", param: null } };

let server;

async function serving(answer) {
  server = await answering(answer);
  return new Api({ base: server.base });
}

afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** The error of what must fail. */
async function failed(coming) {
  try {
    await coming;
  } catch (error) {
    return error;
  }
  return assert.fail("It did not fail.");
}

async function all(chunks) {
  const read = [];
  for await (const chunk of chunks) read.push(chunk);
  return read;
}

/** Answers with events, and ends; `cut`: in the middle of the connection. */
function streaming(events, { cut = false } = {}) {
  return (_, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream", "X-Request-Id": "req-1" });
    const end = () => (cut ? response.destroy() : response.end());
    response.write(events.map((event) => `data: ${event}\n\n`).join(""), end);
  };
}

describe("requests", () => {
  it("carry the key only where there is one", async () => {
    const api = await serving(withJson({ object: "list", data: [{ id: "m" }] }));
    assert.deepEqual(await api.models(), [{ id: "m" }]);
    api.key = "secret";
    await api.models();
    assert.deepEqual(server.asked.map(({ headers }) => headers.authorization), [undefined, "Bearer secret"]);
    assert.deepEqual(server.asked.map(({ method, url }) => `${method} ${url}`), ["GET /v1/models", "GET /v1/models"]);
  });

  it("are not sent with a key that no header can hold", async () => {
    const api = await serving(withJson({ data: [] }));
    api.key = "密钥";
    assert.equal((await failed(api.models())).code, "invalid_api_key");
    assert.equal(server.asked.length, 0);
  });

  it("upload an image without the name of its file", async () => {
    const api = await serving(withJson({ id: "file-1", expires_at: 5 }));
    const upload = await api.upload(new File(["bytes"], "ZHANG_SAN.dcm"));
    const form = server.asked[0].body.toString();
    assert.equal(upload.id, "file-1");
    assert.match(form, /name="purpose"\r\n\r\nvision\r\n/);
    assert.match(form, /name="file"; filename="image"/);
    assert.doesNotMatch(form, /ZHANG/);
  });

  it("delete an upload, and do not mind that it is gone", async () => {
    const api = await serving(withJson({ error: { message: "", code: "file_not_found", param: null } }, 404));
    await api.remove("file-1/../x");
    assert.deepEqual(server.asked.map(({ method, url }) => `${method} ${url}`), ["DELETE /v1/files/file-1%2F..%2Fx"]);
  });

  it("render a picture with what was done to it", async () => {
    const provenance = { format: "DICOM", frame: 3, warnings: [] };
    const api = await serving((_, response) => {
      response.writeHead(200, { "Content-Type": "image/png", "X-Image-Provenance": JSON.stringify(provenance) });
      response.end("PNG");
    });
    const rendering = await api.render(PART, { size: 1024, format: "gray16" });
    assert.deepEqual(rendering.provenance, provenance);
    assert.equal(await rendering.blob.text(), "PNG");
    assert.equal(server.asked[0].headers.accept, "image/png");
    assert.deepEqual(JSON.parse(server.asked[0].body), { image: PART, size: 1024, format: "gray16" });
  });

  it("count a conversation's tokens", async () => {
    const api = await serving(withJson({ count: 600, tokens: [1] }));
    assert.equal(await api.numTokens({ model: "m", messages: [{ role: "user", content: "?" }] }), 600);
    assert.equal(server.asked[0].url, "/v1/tokenize");
  });

  it("tell of a server that takes no work as readily as of one that does", async () => {
    const starting = { status: "starting", phase: "loading", reason: "weights" };
    const api = await serving(withJson(starting, 503));
    api.key = "secret";
    assert.deepEqual(await api.readiness(), starting);
    assert.equal(server.asked[0].headers.authorization, undefined);
  });
});

describe("failures", () => {
  it("have the server's code, sentence and field, and when to try again", async () => {
    const api = await serving(withJson(BUSY, 429, { "Retry-After": "7", "X-Request-Id": "req-9" }));
    const error = await failed(api.models());
    assert.ok(error instanceof ApiError);
    assert.deepEqual(
      { ...error },
      { name: "ApiError", code: "server_busy", status: 429, param: null, retryAfterS: 7, requestId: "req-9" },
    );
    assert.equal(error.message, "Busy.");
  });

  it("read a date in Retry-After as seconds from now", async () => {
    const date = new Date(Date.now() + 30_000).toUTCString();
    const api = await serving(withJson(BUSY, 503, { "Retry-After": date }));
    const { retryAfterS } = await failed(api.models());
    assert.ok(retryAfterS > 0 && retryAfterS <= 30);
  });

  it("are unknown where something else than our server answers", async () => {
    const api = await serving((_, response) => response.writeHead(502).end("<html>Bad gateway</html>"));
    for (const error of [await failed(api.models()), await failed(api.readiness()), await failed(api.remove("f"))]) {
      assert.deepEqual([error.code, error.status, error.message], ["unknown", 502, ""]);
    }
  });

  it("are unknown where a good status holds no JSON", async () => {
    const api = await serving((_, response) => response.end("Sign in to the network"));
    const codes = [(await failed(api.models())).code, (await failed(api.render(PART))).code];
    assert.deepEqual(codes, ["unknown", "unknown"]);
  });

  it("are unreachable where nobody listens", async () => {
    const api = await serving(withJson({}));
    await server.close();
    const error = await failed(api.readiness());
    assert.deepEqual([error.code, error.status], ["unreachable", 0]);
  });

  it("are unreachable where no answer comes in time", async () => {
    const api = await serving(() => {});
    assert.equal((await failed(api.readiness(AbortSignal.timeout(20)))).code, "unreachable");
  });
});

describe("chat", () => {
  const chunk = (content) => JSON.stringify({ choices: [{ delta: { content }, finish_reason: null }] });

  it("gives the chunks up to the end", async () => {
    const api = await serving(streaming([chunk("A"), chunk("B"), "[DONE]"]));
    const chunks = await all(api.chat({ model: "m", stream: true }));
    assert.deepEqual(chunks.map(({ choices }) => choices[0].delta.content), ["A", "B"]);
    assert.deepEqual(JSON.parse(server.asked[0].body), { model: "m", stream: true });
  });

  it("fails with the server's error where the stream brings one, after what came before it", async () => {
    const api = await serving(streaming([chunk("A"), JSON.stringify(BUSY), "[DONE]"]));
    const chunks = api.chat({});
    assert.equal((await chunks.next()).value.choices[0].delta.content, "A");
    const error = await failed(chunks.next());
    assert.deepEqual([error.code, error.status, error.requestId], ["server_busy", 200, "req-1"]);
  });

  for (const [name, answer] of [
    ["ends without [DONE]", streaming([chunk("A")])],
    ["breaks off with the connection", streaming([chunk("A")], { cut: true })],
    ["holds what is no JSON", streaming([chunk("A"), '{"choi'])],
  ]) {
    it(`is cut where the stream ${name}`, async () => {
      const api = await serving(answer);
      assert.equal((await failed(all(api.chat({})))).code, "cut");
    });
  }

  it("hangs up when its reader stops, and when it is aborted", async () => {
    const gone = [];
    const api = await serving((_, response) => {
      gone.push(once(response, "close"));
      response.writeHead(200).write(`data: ${chunk("A")}\n\n`);
    });
    const left = api.chat({});
    await left.next();
    await left.return();
    const stop = new AbortController();
    const aborted = api.chat({}, stop.signal);
    await aborted.next();
    stop.abort();
    assert.equal((await failed(aborted.next())).name, "AbortError");
    await Promise.all(gone);
  });

  it("is an ordinary error before the first chunk", async () => {
    const api = await serving(withJson(BUSY, 429, { "Retry-After": "2" }));
    const error = await failed(all(api.chat({})));
    assert.deepEqual([error.code, error.status, error.retryAfterS], ["server_busy", 429, 2]);
  });
});

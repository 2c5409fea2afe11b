import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, describe, it } from "node:test";

import { ApiError } from "../src/api.js";
import { errorWords } from "../src/error_words.js";
import { LANGUAGES, setLanguage } from "../src/words.js";

afterEach(() => setLanguage("en"));

/** What the page never provokes: it asks no URLs of the server, and writes proper HTTP. */
const NEVER = new Set(["head_too_large", "invalid_http", "remote_image_refused", "remote_image_failed"]);

const page = readFileSync(new URL("../../../docs/api.md", import.meta.url), "utf8");

const documented = [...page.matchAll(/^\| (\d{3}) \| `(\w+)` \| `\w+_error` \|/gm)].map(([, status, code]) => {
  return { status: Number(status), code };
});

describe("errorWords", () => {
  it("finds the documented errors", () => {
    assert.ok(documented.length > 25);
  });

  for (const { status, code } of documented.filter((one) => !NEVER.has(one.code))) {
    it(`has words of its own for ${code}, in each language`, () => {
      for (const language of LANGUAGES) {
        setLanguage(language);
        const { title, advice } = errorWords(new ApiError({ code, status }));
        assert.doesNotMatch(title + advice, /error\./);
        assert.notEqual(title, errorWords(new ApiError({ code: "unknown" })).title);
      }
    });
  }

  it("says which way leads on", () => {
    const codes = ["unreachable", "cut", "invalid_api_key", "server_busy", "image_refused"];
    const ways = codes.map((code) => errorWords(new ApiError({ code })).retry);
    assert.deepEqual(ways, ["now", "now", "key", "after", "none"]);
  });

  it("counts whole seconds, from what the server said or from its own guess, and only where to wait helps", () => {
    const seconds = (code, retryAfterS) => errorWords(new ApiError({ code, retryAfterS })).seconds;
    assert.deepEqual(
      [seconds("server_busy", 7), seconds("draining", 0), seconds("not_ready", null), seconds("engine_error", 9)],
      [7, 1, 5, 0],
    );
  });

  it("goes by the status where something else than our server answered", () => {
    for (const [status, cause] of [[413, "request_too_large"], [401, "invalid_api_key"], [504, "deadline_exceeded"]]) {
      const proxys = errorWords(new ApiError({ code: "unknown", status }));
      assert.equal(proxys.title, errorWords(new ApiError({ code: cause, status })).title);
    }
  });

  it("passes the server's sentence on where it tells what is wrong with a picture, and nowhere else", () => {
    const detail = (code) => errorWords(new ApiError({ code, message: "The format is HEIC." })).detail;
    assert.equal(detail("unsupported_image_format"), "The format is HEIC.");
    assert.equal(detail("internal_error"), null);
    assert.equal(errorWords(new ApiError({ code: "image_refused" })).detail, null);
  });

  it("has words for a defect of the page's own, and for names that objects are born with", () => {
    const unknown = errorWords(new ApiError({ code: "unknown" }));
    assert.deepEqual(errorWords(new TypeError("x is undefined")), unknown);
    assert.deepEqual(errorWords(new ApiError({ code: "constructor" })), unknown);
  });
});

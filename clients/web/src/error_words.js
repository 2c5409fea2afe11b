/** What went wrong, in words that a clinician understands, and what to do about it. */

import { ApiError } from "./api.js";
import { t } from "./words.js";

/**
 * @typedef {object} ErrorWords
 * @property {string} title what happened
 * @property {string} advice what to do
 * @property {string | null} detail the server's own sentence, in English; only where it says more than our words
 * @property {"now" | "after" | "key" | "none"} retry at once (once the advice is followed), after
 *   `seconds`, with another key, or not as it is
 * @property {number} seconds until it is worth trying again; 0 but for "after"
 */

/**
 * How to go on after each code. Each has its words as `error.CODE.title` and `error.CODE.advice`.
 * @type {Readonly<Record<Cause, "now" | "after" | "key" | "none">>}
 */
const RETRY = Object.freeze({
  unreachable: "now",
  cut: "now",
  invalid_api_key: "key",
  insufficient_scope: "key",
  origin_not_allowed: "none",
  host_not_trusted: "none",
  upload_timeout: "now",
  invalid_request_error: "none",
  context_length_exceeded: "now",
  invalid_image: "none",
  not_found: "none",
  model_not_found: "none",
  file_not_found: "none",
  uploads_off: "none",
  request_too_large: "none",
  file_quota_exceeded: "none",
  unsupported_image_format: "none",
  image_refused: "none",
  rate_limit_exceeded: "after",
  server_busy: "after",
  internal_error: "now",
  image_timeout: "now",
  not_ready: "after",
  draining: "after",
  engine_dead: "now",
  storage_failed: "after",
  audit_failed: "after",
  bad_gateway: "now",
  deadline_exceeded: "now",
  unknown: "now",
});

/**
 * @typedef {"unreachable" | "cut" | "invalid_api_key" | "insufficient_scope" | "origin_not_allowed"
 *   | "host_not_trusted" | "upload_timeout" | "invalid_request_error" | "context_length_exceeded" | "invalid_image"
 *   | "not_found" | "model_not_found" | "file_not_found" | "uploads_off" | "request_too_large" | "file_quota_exceeded"
 *   | "unsupported_image_format" | "image_refused" | "rate_limit_exceeded" | "server_busy" | "internal_error"
 *   | "image_timeout" | "not_ready" | "draining" | "engine_dead" | "storage_failed" | "audit_failed" | "bad_gateway"
 *   | "deadline_exceeded" | "unknown"} Cause
 */

/**
 * Codes that a clinician need not tell apart from another one.
 * @type {ReadonlyMap<string, Cause>}
 */
const SAME_AS = new Map([
  ["header_timeout", "upload_timeout"],
  ["engine_hung", "engine_dead"],
  ["engine_error", "internal_error"],
  ["image_worker_died", "internal_error"],
  ["too_many_connections", "server_busy"],
  ["method_not_allowed", "not_found"],
]);

/**
 * What a status means where the answer is not our server's, but of something before it.
 * @type {ReadonlyMap<number, Cause>}
 */
const OF_STATUS = new Map([
  [400, "invalid_request_error"],
  [401, "invalid_api_key"],
  [403, "insufficient_scope"],
  [404, "not_found"],
  [408, "upload_timeout"],
  [413, "request_too_large"],
  [415, "unsupported_image_format"],
  [422, "image_refused"],
  [429, "server_busy"],
  [500, "internal_error"],
  [502, "bad_gateway"],
  [503, "not_ready"],
  [504, "deadline_exceeded"],
]);

/** Where the server's sentence helps: it names the format, the limit or the damage, and nothing of the patient. */
const DETAILED = new Set(["invalid_image", "unsupported_image_format", "image_refused", "invalid_request_error"]);

/** For who is told to wait, and not how long. */
const WAIT_S = 5;

/**
 * @param {unknown} error an ApiError; anything else is a defect of the page's
 * @returns {ErrorWords} in the page's present language
 */
export function errorWords(error) {
  const { code, status, message, retryAfterS } = error instanceof ApiError ? error : new ApiError({ code: "unknown" });
  const cause = causeOf(code, status);
  const retry = RETRY[cause];
  return {
    title: t(`error.${cause}.title`),
    advice: t(`error.${cause}.advice`),
    detail: DETAILED.has(cause) && message ? message : null,
    retry,
    seconds: retry === "after" ? Math.max(1, Math.ceil(retryAfterS ?? WAIT_S)) : 0,
  };
}

/**
 * @param {string} code
 * @param {number} status
 * @returns {Cause}
 */
function causeOf(code, status) {
  if (isCause(code) && code !== "unknown") return code;
  return SAME_AS.get(code) ?? OF_STATUS.get(status) ?? "unknown";
}

/**
 * @param {string} code
 * @returns {code is Cause}
 */
function isCause(code) {
  return Object.hasOwn(RETRY, code);
}

/**
 * The server's API, as the page uses it. What goes wrong is an ApiError; where the caller's signal is aborted, the
 * AbortError of `fetch`.
 */

import { EventStream } from "./event_stream.js";

/**
 * @typedef {object} View how an image is to be looked at; the server's docs/api.md has the fields
 * @property {number} [frame] counted from 1
 * @property {{center: number, width: number}} [window] in the image's own values
 * @property {string} [preset] instead of a window
 * @property {[number, number, number, number]} [region] left, top, right, bottom in pixels of the upright original
 */

/**
 * An image in a message: an upload, or the file itself as a data: URL.
 * @typedef {{type: "file", file: {file_id: string, view?: View} | {file_data: string, view?: View}}} FilePart
 * @typedef {{type: "text", text: string}} TextPart
 * @typedef {{role: "user" | "assistant", content: string | Array<FilePart | TextPart>}} Message
 */

/**
 * @typedef {object} StoredValues value = number * slope + intercept
 * @property {number} slope
 * @property {number} intercept
 * @property {"HU" | null} units
 * @property {boolean} inverted whether the smallest value is to be shown white
 * @property {"LINEAR" | "LINEAR_EXACT" | "SIGMOID"} function by which of DICOM's functions a window is applied
 * @property {[number, number] | null} padding the ends of the values that mean nothing and are black
 */

/**
 * @typedef {object} Provenance what was done to an image on its way to the model
 * @property {string} sha256 of the file
 * @property {string} format
 * @property {number} width of the upright original
 * @property {number} height
 * @property {number} bit_depth
 * @property {string | null} transfer_syntax
 * @property {string | null} modality
 * @property {number} frame counted from 1
 * @property {number} frames
 * @property {{center: number, width: number, source: string} | null} window
 * @property {number[] | null} region
 * @property {string | null} orientation
 * @property {{left: number, top: number, right: number, bottom: number} | null} padding
 * @property {number} downscaling pixels of the original that one pixel stands for, along a side
 * @property {number | null} tokens
 * @property {StoredValues} [values] only of gray16
 * @property {string[]} warnings sentences for a person
 */

/**
 * @typedef {object} Model what the server says of the one model that it serves
 * @property {string} id
 * @property {string} family
 * @property {number} max_model_len tokens of prompt and answer together
 * @property {number} max_images_per_request
 * @property {number} max_images_in_context
 * @property {number} tokens_per_image
 * @property {Record<string, number>} defaults of a request that is silent
 * @property {string} system_fingerprint
 * @property {string} digest
 * @property {Record<string, string>} versions
 * @property {string} [demo] only of a demo checkpoint: what it is
 */

/**
 * @typedef {object} Usage
 * @property {number} prompt_tokens
 * @property {number} completion_tokens
 * @property {number} total_tokens
 * @property {{cached_tokens: number}} [prompt_tokens_details]
 */

/**
 * @typedef {object} Chunk a piece of an answer
 * @property {Array<{delta: {content?: string}, finish_reason: "stop" | "length" | null}>} choices
 * @property {Usage} [usage]
 * @property {Provenance[]} [images]
 * @property {string} [system_fingerprint]
 * @property {number} [max_tokens_clamped_to]
 * @property {string} [demo]
 */

/**
 * @typedef {object} Outgoing
 * @property {string} [method]
 * @property {Record<string, string>} [headers]
 * @property {string | FormData} [body]
 * @property {boolean} [keepalive]
 * @property {AbortSignal} [signal]
 */

/**
 * @typedef {object} Readiness
 * @property {"ok" | "starting" | "draining" | "failed"} status
 * @property {string} phase
 * @property {string | null} reason for people
 */

/** A server that lives says so within milliseconds; a network that swallows everything never says anything. */
const HEALTH_MS = 10_000;

/** Why a request failed. */
export class ApiError extends Error {
  /**
   * @param {object} facts
   * @param {string} facts.code the server's, for programs; "unreachable": no connection; "cut": the answer's end never
   *   came; "unknown": an answer that is not the server's, a proxy's page for instance
   * @param {string} [facts.message] the server's sentence, in English
   * @param {number} [facts.status] of HTTP; 0 where there was none, 200 where a stream failed that had begun
   * @param {string | null} [facts.param] the field that is wrong
   * @param {number | null} [facts.retryAfterS] seconds until it is worth trying again
   * @param {string | null} [facts.requestId]
   */
  constructor({ code, message = "", status = 0, param = null, retryAfterS = null, requestId = null }) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.status = status;
    this.param = param;
    this.retryAfterS = retryAfterS;
    this.requestId = requestId;
  }
}

/** The API under one address, with one key. */
export class Api {
  /**
   * @param {object} [options]
   * @param {string} [options.base] what stands before `v1/...`: empty, for the page's own folder, or ends with a slash
   * @param {string | null} [options.key] may be set later too
   */
  constructor({ base = "", key = null } = {}) {
    this.base = base;
    this.key = key;
  }

  /**
   * The served models: there is one.
   * @param {AbortSignal} [signal]
   * @returns {Promise<Model[]>}
   */
  async models(signal) {
    return (await json(await this.#asked("v1/models", { signal }))).data;
  }

  /**
   * Whether new work is taken, and why not. It is told to everybody: no key goes along.
   * @param {AbortSignal} [signal]
   * @returns {Promise<Readiness>}
   */
  async readiness(signal = AbortSignal.timeout(HEALTH_MS)) {
    const response = await fetched(`${this.base}health/ready`, { signal });
    if (!response.ok && response.status !== 503) throw await failure(response);
    const body = await json(response.clone());
    if (typeof body?.status !== "string") throw await failure(response);
    return body;
  }

  /**
   * Leaves an image with the server for a while.
   * @param {Blob} blob
   * @param {string} [name] that the server keeps; never a file's own, which may be a patient's
   * @param {AbortSignal} [signal]
   * @returns {Promise<{id: string, expires_at: number}>}
   */
  async upload(blob, name = "image", signal) {
    const form = new FormData();
    form.append("purpose", "vision");
    form.append("file", blob, name);
    return json(await this.#asked("v1/files", { method: "POST", body: form, signal }));
  }

  /**
   * Deletes an upload, even while the page is being left. One that is already gone is no error.
   * @param {string} id
   * @param {AbortSignal} [signal]
   */
  async remove(id, signal) {
    const path = `v1/files/${encodeURIComponent(id)}`;
    const response = await this.#sent(path, { method: "DELETE", keepalive: true, signal });
    if (!response.ok && response.status !== 404) throw await failure(response);
  }

  /**
   * An image as the model sees it, or as a page can show it.
   * @param {FilePart} part
   * @param {object} [options]
   * @param {"model" | number} [options.size] "model": the very picture; a number: most pixels of the longer side
   * @param {"png" | "gray16"} [options.format]
   * @param {AbortSignal} [options.signal]
   * @returns {Promise<{blob: Blob, provenance: Provenance}>} a PNG
   */
  async render(part, { size = "model", format = "png", signal } = {}) {
    const asked = { ...written({ image: part, size, format }), signal };
    asked.headers = { ...asked.headers, Accept: "image/png" };
    const response = await this.#asked("v1/images/render", asked);
    const provenance = response.headers.get("X-Image-Provenance");
    if (provenance === null) throw await failure(response);
    return { blob: await arrived(response.blob(), "unreachable"), provenance: JSON.parse(provenance) };
  }

  /**
   * How many positions of the context a conversation takes.
   * @param {{model: string, messages: Message[]}} body the last message is the user's
   * @param {AbortSignal} [signal]
   * @returns {Promise<number>}
   */
  async numTokens(body, signal) {
    return (await json(await this.#asked("v1/tokenize", { ...written(body), signal }))).count;
  }

  /**
   * The chunks of a streamed answer. It has ended well only where this ends without an error.
   * @param {Record<string, unknown>} body a chat request with `stream: true`
   * @param {AbortSignal} [signal]
   * @returns {AsyncGenerator<Chunk, void, undefined>}
   */
  async *chat(body, signal) {
    const response = await this.#asked("v1/chat/completions", { ...written(body), signal });
    const requestId = response.headers.get("X-Request-Id");
    for await (const data of events(response)) {
      if (data === "[DONE]") return;
      const chunk = parsed(data, requestId);
      if (chunk.error) throw new ApiError({ ...chunk.error, status: response.status, requestId });
      yield chunk;
    }
    throw new ApiError({ code: "cut", status: response.status, requestId });
  }

  /**
   * @param {string} path
   * @param {Outgoing} request
   */
  async #asked(path, request) {
    const response = await this.#sent(path, request);
    if (!response.ok) throw await failure(response);
    return response;
  }

  /**
   * @param {string} path
   * @param {Outgoing} request
   */
  async #sent(path, request) {
    return fetched(this.base + path, { ...request, headers: { ...request.headers, ...authorization(this.key) } });
  }
}

/**
 * @param {string} url
 * @param {Outgoing} request
 */
function fetched(url, request) {
  return arrived(fetch(url, { ...request, cache: "no-store" }), "unreachable");
}

/**
 * A key that no header can hold is none that the server knows.
 * @param {string | null} key
 * @returns {Record<string, string>}
 */
function authorization(key) {
  if (!key) return {};
  if (/[^\x21-\x7e]/.test(key)) throw new ApiError({ code: "invalid_api_key" });
  return { Authorization: `Bearer ${key}` };
}

/**
 * @param {unknown} body
 * @returns {{method: string, headers: Record<string, string>, body: string}}
 */
function written(body) {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

/**
 * What comes over the network, or the ApiError that it did not. An abort stays one.
 * @template T
 * @param {Promise<T>} coming
 * @param {"unreachable" | "cut"} code
 * @returns {Promise<T>}
 */
async function arrived(coming, code) {
  try {
    return await coming;
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") throw error;
    throw new ApiError({ code });
  }
}

/**
 * @param {Response} response
 * @returns {Promise<any>}
 */
async function json(response) {
  const text = await arrived(response.text(), "unreachable");
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError({ code: "unknown", status: response.status });
  }
}

/**
 * The data of a response's events.
 * @param {Response} response
 * @returns {AsyncGenerator<string, void, undefined>}
 */
async function* events(response) {
  const reader = response.body?.getReader();
  if (!reader) return;
  const stream = new EventStream();
  try {
    for (;;) {
      const { done, value } = await arrived(reader.read(), "cut");
      if (done) return;
      yield* stream.push(value);
    }
  } finally {
    // Who stops listening hangs up, which ends the generation.
    await reader.cancel().catch(() => {});
  }
}

/**
 * @param {string} data
 * @param {string | null} requestId
 * @returns {any}
 */
function parsed(data, requestId) {
  try {
    return JSON.parse(data);
  } catch {
    throw new ApiError({ code: "cut", status: 200, requestId });
  }
}

/**
 * The error of an answer that is one. What stands between page and server may answer too, in its own way.
 * @param {Response} response
 */
async function failure(response) {
  const told = await json(response).catch(() => null);
  const { code, message, param } = typeof told?.error?.code === "string" ? told.error : { code: "unknown" };
  const requestId = response.headers.get("X-Request-Id");
  return new ApiError({ code, message, param, status: response.status, retryAfterS: retryAfterS(response), requestId });
}

/**
 * Retry-After is seconds, or from a proxy a date.
 * @param {Response} response
 */
function retryAfterS(response) {
  const told = response.headers.get("Retry-After")?.trim();
  if (!told) return null;
  const seconds = /^\d+$/.test(told) ? Number(told) : Math.ceil((Date.parse(told) - Date.now()) / 1000);
  return Number.isNaN(seconds) ? null : Math.max(0, seconds);
}

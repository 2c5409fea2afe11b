/** How full the model's context is, and what to drop when it is. */

import { ApiError } from "./api.js";

/** @typedef {import("./api.js").Message} Message */
/** @typedef {import("./api.js").Model} Model */

/**
 * @typedef {object} Context
 * @property {number} numImages
 * @property {number} maxImages
 * @property {number} numTokens of the conversation, the question that comes next included
 * @property {boolean} exact whether the server counted them
 * @property {number} maxTokens of the conversation and the answer together
 * @property {number} numTurns
 * @property {"room" | "tight" | "full"} state tight: an answer may be cut short; full: the server would refuse it
 */

/**
 * @typedef {object} Said a turn, as far as it takes room
 * @property {string} question
 * @property {readonly unknown[]} pictures
 * @property {{text: string}} [answer]
 */

/** Of the words around a turn's own. */
const TOKENS_AROUND = 12;

/**
 * The images that one request may hold.
 * @param {Model} model
 */
export function maxImages(model) {
  return Math.min(model.max_images_per_request, model.max_images_in_context);
}

/**
 * How full the context would be with these messages. Where the server cannot be asked, their tokens are estimated.
 * @param {{numTokens: import("./api.js").Api["numTokens"]}} api
 * @param {Model} model
 * @param {Message[]} messages the last one is the user's
 * @param {AbortSignal} [signal]
 * @returns {Promise<Context>}
 */
export async function measured(api, model, messages, signal) {
  const numImages = messages.reduce((sum, message) => sum + imagesOf(message), 0);
  // More images than there may be are refused, and not counted.
  const counted = numImages > maxImages(model) ? null : await count(api, model, messages, signal);
  return weighed(model, {
    numImages,
    numTokens: counted ?? messages.reduce((sum, message) => sum + estimate(model, message), 0),
    exact: counted !== null,
    numTurns: messages.filter((message) => message.role === "user").length,
  });
}

/**
 * @param {Model} model
 * @param {{numImages: number, numTokens: number, exact: boolean, numTurns: number}} amounts
 * @returns {Context}
 */
export function weighed(model, amounts) {
  const most = maxImages(model);
  const left = model.max_model_len - amounts.numTokens;
  const full = amounts.numImages > most || left < 1;
  const state = full ? "full" : left < model.defaults.max_tokens ? "tight" : "room";
  return { ...amounts, maxImages: most, maxTokens: model.max_model_len, state };
}

/**
 * How many of the oldest turns must go for the next question, with room for an answer of the usual length. All of them
 * where even that is not enough. It is estimated, rather one too many.
 * @param {Model} model
 * @param {readonly Said[]} turns the oldest first
 * @param {Said} next
 */
export function numToDrop(model, turns, next) {
  const usable = model.max_model_len - model.defaults.max_tokens;
  let images = next.pictures.length;
  let tokens = turnTokens(model, next);
  let kept = 0;
  for (const turn of [...turns].reverse()) {
    images += turn.pictures.length;
    tokens += turnTokens(model, turn);
    if (images > maxImages(model) || tokens > usable) break;
    kept += 1;
  }
  return turns.length - kept;
}

/**
 * @param {{numTokens: import("./api.js").Api["numTokens"]}} api
 * @param {Model} model
 * @param {Message[]} messages
 * @param {AbortSignal} [signal]
 * @returns {Promise<number | null>} null: the server does not say
 */
async function count(api, model, messages, signal) {
  try {
    return await api.numTokens({ model: model.id, messages }, signal);
  } catch (error) {
    if (error instanceof ApiError) return null;
    throw error;
  }
}

/** @param {Message} message */
function imagesOf({ content }) {
  return typeof content === "string" ? 0 : content.filter((part) => part.type !== "text").length;
}

/**
 * @param {Model} model
 * @param {Message} message
 */
function estimate(model, message) {
  const parts = typeof message.content === "string" ? [message.content] : message.content.map(textOf);
  const text = parts.reduce((sum, part) => sum + textTokens(part), 0);
  return text + imagesOf(message) * model.tokens_per_image + TOKENS_AROUND;
}

/** @param {import("./api.js").FilePart | import("./api.js").TextPart} part */
function textOf(part) {
  return part.type === "text" ? part.text : "";
}

/**
 * @param {Model} model
 * @param {Said} turn
 */
function turnTokens(model, { question, pictures, answer }) {
  const text = textTokens(question) + textTokens(answer?.text ?? "");
  return text + pictures.length * model.tokens_per_image + 2 * TOKENS_AROUND;
}

/**
 * At most about so many: English takes a token for four letters, Chinese less than one for a character.
 * @param {string} text
 */
function textTokens(text) {
  const wide = text.replace(/[\0-\x7f]/g, "").length;
  return wide + Math.ceil((text.length - wide) / 3);
}

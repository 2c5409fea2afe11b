/**
 * A conversation as one file to keep: Markdown for people, JSON for programs. Both hold the pictures as the model saw
 * them, the settings, and what was done to each picture. Neither holds the names of files, which often are patients'.
 */

import { dataUrl } from "./data_url.js";
import { errorWords } from "./error_words.js";
import { t } from "./words.js";

/** @typedef {import("./api.js").Model} Model */
/** @typedef {import("./api.js").Provenance} Provenance */
/** @typedef {import("./conversation.js").Turn} Turn */
/** @typedef {import("./conversation.js").Answer} Answer */
/** @typedef {import("./picture.js").Sent} Sent */

/**
 * @typedef {object} RecordedPicture
 * @property {object | null} view as asked for
 * @property {Provenance} provenance
 * @property {string} image a data: URL of the picture that the model saw
 */

/**
 * @typedef {object} RecordedAnswer
 * @property {string} text as it came
 * @property {Answer["state"]} state
 * @property {boolean} complete
 * @property {string | null} error what went wrong
 * @property {number | null} ttft_ms
 * @property {Answer["usage"]} usage
 */

/**
 * @typedef {object} ConversationRecord
 * @property {"huatuo.conversation"} object
 * @property {1} version of this shape
 * @property {string} exported_at ISO 8601
 * @property {string} notice
 * @property {Pick<Model, "id" | "family" | "system_fingerprint" | "digest" | "versions" | "demo">} model
 * @property {Record<string, number>} settings the server's defaults: the page asks for no others
 * @property {Array<{question: string, pictures: RecordedPicture[], answer: RecordedAnswer}>} turns
 */

/**
 * All that is kept of a conversation.
 * @param {readonly Turn[]} turns
 * @param {Model} model
 * @param {Date} now
 * @param {(blob: Blob) => Promise<string>} [urlOf]
 * @returns {Promise<ConversationRecord>}
 */
export async function recordOf(turns, model, now, urlOf = dataUrl) {
  const { id, family, system_fingerprint, digest, versions, demo } = model;
  return {
    object: "huatuo.conversation",
    version: 1,
    exported_at: now.toISOString(),
    notice: t("export.notice"),
    model: { id, family, system_fingerprint, digest, versions, ...(demo === undefined ? {} : { demo }) },
    settings: model.defaults,
    turns: await Promise.all(turns.map((turn) => recordedTurn(turn, urlOf))),
  };
}

/** @param {ConversationRecord} record */
export function asJson(record) {
  return `${JSON.stringify(record, null, 2)}\n`;
}

/** @param {ConversationRecord} record */
export function asMarkdown(record) {
  const { model, turns } = record;
  const head = [
    `# ${t("export.title", { model: inert(model.id) })}`,
    `**${record.notice}**`,
    ...(model.demo === undefined ? [] : [inert(model.demo)]),
    list([
      t("export.exported", { time: record.exported_at }),
      t("export.model", { facts: [model.family, model.system_fingerprint, model.digest].join(", ") }),
      t("export.versions", { versions: named(model.versions) }),
      t("export.settings", { settings: named(record.settings) }),
    ]),
  ];
  return `${[...head, ...turns.flatMap(turnInMarkdown)].join("\n\n")}\n`;
}

/**
 * An answer to take elsewhere: as it was said, and where it is not whole, that it is not.
 * @param {Answer} answer
 */
export function asText(answer) {
  const note = noteOn(recordedAnswer(answer));
  return note === null ? answer.text : `${answer.text}\n\n${note}`;
}

/**
 * The name of an exported file, by its time and nothing else.
 * @param {ConversationRecord} record
 * @param {"md" | "json"} ending
 */
export function fileName(record, ending) {
  return `conversation-${record.exported_at.slice(0, 19).replaceAll(":", "-")}.${ending}`;
}

/**
 * Lets the browser save a text.
 * @param {string} text
 * @param {string} name
 */
export function save(text, name) {
  const type = name.endsWith(".json") ? "application/json" : "text/markdown;charset=utf-8";
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // Not at once: a browser may begin to read it only after this.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/**
 * @param {Turn} turn
 * @param {(blob: Blob) => Promise<string>} urlOf
 */
async function recordedTurn({ question, pictures, answer }, urlOf) {
  const recorded = pictures.map(async (sent, place) => ({
    view: sent.part.file.view ?? null,
    provenance: answer.images[place] ?? sent.provenance,
    image: await urlOf(sent.picture),
  }));
  return { question, pictures: await Promise.all(recorded), answer: recordedAnswer(answer) };
}

/**
 * @param {Answer} answer
 * @returns {RecordedAnswer}
 */
function recordedAnswer({ text, state, error, ttftMs, usage }) {
  const reason = state === "failed" ? errorWords(error).title : null;
  return { text, state, complete: state === "done", error: reason, ttft_ms: rounded(ttftMs), usage };
}

/** @param {number | null} ms */
function rounded(ms) {
  return ms === null ? null : Math.round(ms);
}

/**
 * @param {ConversationRecord["turns"][number]} turn
 * @param {number} place
 */
function turnInMarkdown({ question, pictures, answer }, place) {
  const shown = pictures.flatMap((picture, number) => pictureInMarkdown(picture, number + 1));
  const asked = [`## ${t("export.turn", { number: place + 1 })}`, ...shown, quoted(question)];
  const note = noteOn(answer);
  const said = [`### ${t("export.answer")}`, quoted(answer.text), ...(note === null ? [] : [`**${note}**`])];
  return [...asked, ...said, ...(answer.usage === null ? [] : [named(answer.usage)])];
}

/**
 * @param {RecordedPicture} picture
 * @param {number} number
 */
function pictureInMarkdown({ provenance, image }, number) {
  const { format, width, height, bit_depth: bits, frame, frames, window, region, sha256, warnings } = provenance;
  const facts = [
    t("export.file", { format, width: String(width), height: String(height), bits }),
    ...(frames > 1 ? [t("export.frame", { frame, frames })] : []),
    ...(window ? [t("export.window", { center: window.center, width: window.width })] : []),
    ...(region ? [t("export.region", { region: region.join(", ") })] : []),
    t("export.sha256", { digest: sha256 }),
    ...warnings,
  ];
  return [`![${t("export.picture", { number })}](${image})`, list(facts)];
}

/**
 * What must not be overlooked of an answer that is not whole.
 * @param {RecordedAnswer} answer
 */
function noteOn({ state, error }) {
  if (state === "length") return t("export.cut");
  if (state === "stopped") return t("export.stopped");
  if (state === "failed") return t("export.failed", { reason: error ?? "" });
  return state === "done" ? null : t("export.unfinished");
}

/**
 * Somebody's words inside a document of ours: they cannot end their quotation, and load and run nothing in whatever
 * shows it.
 * @param {string} text
 */
function quoted(text) {
  return inert(text)
    .split(/\r\n|\n|\r/)
    .map((line) => `> ${line}`)
    .join("\n");
}

/** @param {string} text */
function inert(text) {
  // Nor are there links, of which `javascript:` is one.
  return text.replaceAll("<", "&lt;").replaceAll("![", "!&#91;").replaceAll("](", "&#93;(").replaceAll("]:", "&#93;:");
}

/** @param {readonly string[]} lines */
function list(lines) {
  return lines.map((line) => `- ${line}`).join("\n");
}

/**
 * `name: value, name: value`, without what is no plain value.
 * @param {object} facts
 */
function named(facts) {
  const plain = Object.entries(facts).filter(([, value]) => typeof value !== "object");
  return plain.map(([name, value]) => `${name}: ${value}`).join(", ");
}

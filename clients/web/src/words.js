/** The page's words, in the language that its reader chose. */

import en from "./locales/en.js";
import zhCN from "./locales/zh-CN.js";

/** @typedef {keyof typeof en} Key of a text; `.one` is chosen by `t` itself */
/** @typedef {"en" | "zh-CN"} Language */

/** @type {Record<Language, Readonly<Record<string, string>>>} */
const LOCALES = { en, "zh-CN": zhCN };

export const LANGUAGES = /** @type {readonly Language[]} */ (Object.freeze(["en", "zh-CN"]));

const changes = new EventTarget();

/** @type {Language} */
let current = "en";

/**
 * The first language of the reader's that there is; English where there is none.
 * @param {readonly string[]} wanted language tags, the dearest first, as `navigator.languages` has them
 * @returns {Language}
 */
export function chosenLanguage(wanted) {
  for (const tag of wanted) {
    const primary = tag.toLowerCase().split("-")[0];
    if (primary === "zh") return "zh-CN";
    if (primary === "en") return "en";
  }
  return "en";
}

/** @returns {Language} */
export function language() {
  return current;
}

/** @param {Language} chosen */
export function setLanguage(chosen) {
  if (chosen === current) return;
  current = chosen;
  changes.dispatchEvent(new Event("change"));
}

/**
 * A text, with `{name}` replaced by `values.name`. Where there is a `count` of 1 and a `KEY.one`, that is taken.
 * @param {Key} key
 * @param {Readonly<Record<string, string | number>>} [values] numbers are written as the language writes them
 * @returns {string}
 */
export function t(key, values = {}) {
  const words = LOCALES[current];
  const text = (values.count === 1 ? words[`${key}.one`] : undefined) ?? words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? shown(values[name]) : whole));
}

/**
 * Renders a Lit element again when the language changes: `words = new Words(this);` in its class.
 */
export class Words {
  /** @param {import("lit").ReactiveControllerHost} host */
  constructor(host) {
    this.changed = () => host.requestUpdate();
    host.addController(this);
  }

  hostConnected() {
    changes.addEventListener("change", this.changed);
  }

  hostDisconnected() {
    changes.removeEventListener("change", this.changed);
  }
}

/** @param {string | number} value */
function shown(value) {
  return typeof value === "number" ? value.toLocaleString(current) : value;
}

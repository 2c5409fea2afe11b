/** What the reader chose: language and theme, kept by the browser; and the API key, kept until the tab is closed. */

import { LANGUAGES } from "./words.js";

/** @typedef {import("./words.js").Language} Language */
/** @typedef {"dark" | "light"} Theme */

const LANGUAGE = "huatuo.language";
const THEME = "huatuo.theme";
const KEY = "huatuo.key";

/** Where a browser keeps nothing (it may forbid it), a choice holds as long as the page. */
export class Preferences {
  #lasting;
  #session;

  /**
   * @param {() => Storage} lasting a browser that forbids storage throws when it is asked for
   * @param {() => Storage} session
   */
  constructor(lasting = () => localStorage, session = () => sessionStorage) {
    this.#lasting = new Kept(lasting);
    this.#session = new Kept(session);
  }

  /** @returns {Language | null} null: the browser's */
  get language() {
    const kept = this.#lasting.get(LANGUAGE);
    return LANGUAGES.find((language) => language === kept) ?? null;
  }

  set language(language) {
    this.#lasting.set(LANGUAGE, language);
  }

  /** @returns {Theme} a reading room is dark */
  get theme() {
    return this.#lasting.get(THEME) === "light" ? "light" : "dark";
  }

  set theme(theme) {
    this.#lasting.set(THEME, theme);
  }

  /** @returns {string | null} */
  get key() {
    return this.#session.get(KEY);
  }

  set key(key) {
    this.#session.set(KEY, key);
  }
}

/** Texts by name, in a storage or, where that fails, in memory. */
class Kept {
  /** @type {Map<string, string>} */
  #memory = new Map();
  #storage;

  /** @param {() => Storage} storage */
  constructor(storage) {
    this.#storage = storage;
  }

  /**
   * @param {string} name
   * @returns {string | null}
   */
  get(name) {
    try {
      return this.#storage().getItem(name) ?? this.#memory.get(name) ?? null;
    } catch {
      return this.#memory.get(name) ?? null;
    }
  }

  /**
   * @param {string} name
   * @param {string | null} value null: forget it
   */
  set(name, value) {
    if (value === null) this.#memory.delete(name);
    else this.#memory.set(name, value);
    try {
      if (value === null) this.#storage().removeItem(name);
      else this.#storage().setItem(name, value);
    } catch {
      // It is in memory.
    }
  }
}

/** The page: pictures on one side, the conversation about them on the other. Everything meets here. */
import { LitElement, html, nothing } from "lit";
import { Api } from "./api.js";
import { appStyle } from "./app_style.js";
import "./composer.js";
import { maxImages } from "./context.js";
import "./context_meter.js";
import { Conversation } from "./conversation.js";
import "./conversation_view.js";
import { Draft } from "./draft.js";
import { DropZone } from "./drop_zone.js";
import { asJson, asMarkdown, fileName, recordOf, save } from "./export.js";
import { Gauge } from "./gauge.js";
import "./key_dialog.js";
import { LightBox } from "./light_box.js";
import { look } from "./look.js";
import { Preferences } from "./preferences.js";
import "./server_banner.js";
import { SentUploads } from "./sent_uploads.js";
import { needsKey, ServedModel } from "./served_model.js";
import { ServerState } from "./server_state.js";
import "./start_over_dialog.js";
import "./strip.js";
import "./top_bar.js";
import "./viewer.js";
import { language, setLanguage, t, Words } from "./words.js";

/** @typedef {import("./api.js").Model} Model */
/** @typedef {import("./conversation.js").Turn} Turn */
/** @typedef {import("./picture.js").Picture} Picture */
/** @typedef {import("./preferences.js").Theme} Theme */
/** @typedef {import("./words.js").Language} Language */

/** What tells that the server is not as it was when it was last asked. */
const AILING = new Set(["unreachable", "cut", "draining", "not_ready", "engine_dead", "engine_hung"]);

/** `<huatuo-app>`: all of the page. */
export class App extends LitElement {
  static properties = {
    model: { state: true },
    needsKey: { state: true },
    draft: { state: true },
    note: { state: true },
    pane: { state: true },
    theme: { state: true },
  };

  static styles = [look, appStyle];

  constructor() {
    super();
    this.preferences = new Preferences();
    this.api = new Api({ key: this.preferences.key });
    this.conversation = new Conversation(this.api);
    this.box = new LightBox();
    this.gauge = new Gauge(this.api);
    this.server = new ServerState(this.api);
    this.served = new ServedModel(this.api);
    /** @type {Model | null} */
    this.model = null;
    this.needsKey = false;
    /** @type {Draft | null} a question whose pictures are waited for */
    this.draft = null;
    /** @type {"" | "chat.changed" | "chat.trouble"} what became of the last question */
    this.note = "";
    /** @type {"picture" | "conversation"} the one that a phone shows */
    this.pane = "conversation";
    this.theme = this.preferences.theme;
    /** @type {Picture[]} what goes with the next question */
    this.going = [];
    this.words = new Words(this);
    this.zone = new DropZone(this);
    for (const part of [this.conversation, this.box, this.gauge]) {
      part.addEventListener("change", () => this.requestUpdate());
    }
    this.uploads = new SentUploads(this.api);
    for (const part of [this.conversation, this.box]) part.addEventListener("change", () => this.#keepUploads());
    this.server.addEventListener("change", this.#serverChanged);
    this.served.addEventListener("change", this.#modelTold);
  }

  connectedCallback() {
    super.connectedCallback();
    addEventListener("pagehide", this.#left);
    // Before the films, whose keys may be pressed anywhere.
    addEventListener("keydown", this.#pressed, true);
    for (const name of ["online", "offline"]) addEventListener(name, () => void this.server.watch());
    void this.server.watch();
  }

  willUpdate() {
    document.documentElement.lang = language();
    document.documentElement.dataset.theme = this.theme;
    this.conversation.model = this.model?.id ?? "";
    this.going = this.box.going(this.conversation);
  }

  updated() {
    this.gauge.look(this.model, this.conversation, this.going, this.#composer?.question ?? "");
  }

  render() {
    return html`
      <header>
        <button class="skip outlined" @click=${() => this.#composer?.focus()}>${t("app.skip")}</button>
        ${this.#topBar()}
        <huatuo-server-banner .status=${this.server.status}></huatuo-server-banner>
      </header>
      ${this.#tabs()}
      <main data-pane=${this.pane} @key=${() => this.#askForKey()} @turn=${this.#act}>
        <section class="picture" aria-label=${t("app.images")}>${this.#pictures()}</section>
        <section class="talk" aria-label=${t("chat.conversation")}>
          <h2 class="unseen">${t("chat.conversation")}</h2>
          <huatuo-conversation
            .conversation=${this.conversation}
            .most=${this.box.most}
            .busy=${this.#isBusy}
            @example=${this.#suggest}
          ></huatuo-conversation>
        </section>
        <section class="ask" aria-label=${t("chat.composer")}>${this.#asking()}</section>
      </main>
      <footer>
        <span>${t("app.notice")}</span>
        ${this.model?.demo ? html`<span class="demo">${t("app.demo")}</span>` : nothing}
      </footer>
      ${this.#dialogs()} ${this.zone.isOver ? html`<div class="drop">${t("app.drop")}</div>` : nothing}
    `;
  }

  #topBar() {
    return html`<huatuo-top-bar
      .model=${this.model}
      .status=${this.server.status}
      .theme=${this.theme}
      .hasKey=${this.api.key !== null}
      .isEmpty=${this.conversation.turns.length + this.box.pictures.length === 0}
      .canExport=${this.conversation.turns.length > 0}
      @start-over=${() => this.#startOverDialog?.show()}
      @export=${this.#export}
      @key=${() => this.#askForKey()}
      @theme=${this.#setTheme}
      @language=${this.#setLanguage}
    ></huatuo-top-bar>`;
  }

  /** Of a phone: one pane at a time. */
  #tabs() {
    return html`<nav class="panes" aria-label=${t("app.panes")}>
      ${this.#tab("picture", t("app.tab_picture"))} ${this.#tab("conversation", t("app.tab_conversation"))}
    </nav>`;
  }

  /**
   * @param {"picture" | "conversation"} pane
   * @param {string} name
   */
  #tab(pane, name) {
    const isShown = pane === this.pane;
    return html`<button aria-pressed=${isShown ? "true" : "false"} @click=${() => (this.pane = pane)}>${name}</button>`;
  }

  #pictures() {
    const { pictures, current, most } = this.box;
    return html`
      <h2 class="unseen">${t("app.images")}</h2>
      <huatuo-viewer .current=${current}></huatuo-viewer>
      <huatuo-strip
        .api=${this.api}
        .pictures=${pictures}
        .current=${current}
        .max=${most}
        @add=${this.#added}
        @choose=${this.#chosen}
        @remove=${this.#removed}
        @reading=${(/** @type {CustomEvent<boolean>} */ { detail: isReading }) => this.box.read(isReading)}
      ></huatuo-strip>
    `;
  }

  #asking() {
    return html`
      <huatuo-context-meter
        .context=${this.gauge.context}
        .numToDrop=${this.gauge.numToDrop}
        .busy=${this.#isBusy}
        @drop=${this.#dropOldest}
      ></huatuo-context-meter>
      <huatuo-composer
        .pictures=${this.going}
        .numLeftOut=${this.box.numLeftOut(this.conversation)}
        .busy=${this.#isBusy}
        .blocked=${this.#blocked()}
        .note=${this.note && t(this.note)}
        @ask=${this.#ask}
        @stop=${this.#stop}
        @leave-out=${this.#leaveOut}
        @take-along=${() => this.box.takeAlong()}
      ></huatuo-composer>
    `;
  }

  #dialogs() {
    return html`
      <huatuo-key-dialog
        .hasKey=${this.api.key !== null}
        .isRejected=${this.needsKey}
        @save=${this.#saveKey}
      ></huatuo-key-dialog>
      <huatuo-start-over-dialog @confirm=${this.#startOver}></huatuo-start-over-dialog>
    `;
  }

  /** Why nothing can be asked now; empty where it can. */
  #blocked() {
    if (this.needsKey) return t("chat.blocked_key");
    if (!this.model) return t("chat.blocked_model");
    if (this.box.isReading) return t("chat.blocked_reading");
    if (this.going.some(({ state }) => state === "failed")) return t("chat.blocked_failed");
    if (this.draft) return t("chat.blocked_uploading");
    return this.gauge.context?.state === "full" ? t("chat.blocked_full") : "";
  }

  /** Whether an answer is on its way, or a question that waits for its pictures. */
  get #isBusy() {
    return this.conversation.busy || this.draft !== null;
  }

  /** @param {CustomEvent<string>} event */
  async #ask({ detail: question }) {
    const draft = new Draft(question, this.box.going(this.conversation));
    this.draft = draft;
    this.note = "";
    // A picture may still be on its way, or the window that was let go a moment ago.
    await draft.settled();
    // It was stopped, or a new conversation has begun.
    if (this.draft !== draft) return;
    this.draft = null;
    const pictures = draft.pictures(this.box.pictures, this.box.going(this.conversation));
    // The question stays where it is, and why is said there.
    if (pictures === "failed") return;
    if (pictures === "changed") {
      this.note = "chat.changed";
      return;
    }
    this.#composer?.clear(question);
    this.#show("conversation");
    await this.#answered(this.conversation.ask(question, pictures));
  }

  #stop() {
    this.draft = null;
    this.conversation.stop();
  }

  /**
   * Wherever the focus is, Escape stops first what is on its way; but it closes a dialog.
   * @param {KeyboardEvent} event
   */
  #pressed = (event) => {
    if (event.key !== "Escape" || event.isComposing || !this.#isBusy) return;
    if (event.composedPath().some((one) => one instanceof HTMLDialogElement)) return;
    event.preventDefault();
    this.#stop();
  };

  /** @param {CustomEvent<{action: "retry" | "regenerate" | "edit", turn: Turn, question: string}>} event */
  async #act({ detail: { action, turn, question } }) {
    this.note = "";
    // The button that was pressed goes.
    this.#composer?.hold();
    this.#show("conversation");
    await this.#answered(action === "edit" ? this.conversation.edit(turn, question) : this.conversation[action](turn));
  }

  /** @param {Promise<import("./api.js").ApiError | null>} answer */
  async #answered(answer) {
    const error = await answer;
    const earlier = this.conversation.turns.slice(0, -1);
    // It stands at an earlier answer, which may be out of sight.
    if (error && earlier.some(({ answer: { trouble } }) => trouble?.error === error)) this.note = "chat.trouble";
    if (error?.code === "invalid_api_key") this.#refuseKey();
    if (error && AILING.has(error.code)) void this.server.watch();
  }

  /** @param {CustomEvent<string>} event */
  #suggest({ detail: question }) {
    this.#composer?.suggest(question);
  }

  /** @param {CustomEvent<Picture[]>} event */
  #added({ detail: pictures }) {
    this.box.add(pictures);
    this.pane = "picture";
  }

  /** @param {CustomEvent<Picture>} event */
  #chosen({ detail: picture }) {
    this.box.choose(picture);
  }

  /** @param {CustomEvent<Picture>} event */
  #removed({ detail: picture }) {
    this.box.remove(picture);
  }

  /** @param {CustomEvent<Picture>} event */
  #leaveOut({ detail: picture }) {
    this.box.leaveOut(picture.key);
  }

  /** Their pictures do not come back by themselves: they would take the room again. */
  #dropOldest() {
    this.#composer?.hold();
    for (const turn of this.conversation.standing.slice(0, this.gauge.numToDrop)) {
      for (const { key } of turn.pictures) this.box.leaveOut(key);
      this.conversation.drop(turn);
    }
  }

  #startOver() {
    this.draft = null;
    this.note = "";
    this.conversation.clear();
    this.box.clear();
    this.#composer?.clear();
    this.#composer?.hold();
  }

  #keepUploads() {
    const sent = this.conversation.kept.flatMap(({ pictures }) => pictures);
    const held = this.box.pictures.flatMap(({ uploads }) => uploads);
    this.uploads.keep(sent, held);
  }

  /**
   * The tab is closed, unless the browser keeps the page to come back to.
   * @param {PageTransitionEvent} event
   */
  #left = (event) => {
    if (event.persisted) return;
    this.conversation.clear();
    this.box.clear();
  };

  /** @param {CustomEvent<"md" | "json">} event */
  async #export({ detail: ending }) {
    if (!this.model) return;
    const record = await recordOf(this.conversation.turns, this.model, new Date());
    save(ending === "md" ? asMarkdown(record) : asJson(record), fileName(record, ending));
  }

  /** @param {CustomEvent<Theme>} event */
  #setTheme({ detail: theme }) {
    this.theme = theme;
    this.preferences.theme = theme;
  }

  /** @param {CustomEvent<Language>} event */
  #setLanguage({ detail: chosen }) {
    this.preferences.language = chosen;
    setLanguage(chosen);
  }

  #serverChanged = () => {
    this.requestUpdate();
    if (this.server.status !== "ok") {
      this.served.stop();
      return;
    }
    // It may be another one after a restart.
    void this.served.ask();
    this.#retryPictures();
  };

  #modelTold = () => {
    const { model } = this.served;
    this.model = model;
    this.needsKey = false;
    if (model) this.box.most = maxImages(model);
    if (this.served.needsKey) this.#refuseKey();
  };

  #refuseKey() {
    this.needsKey = true;
    this.#askForKey();
  }

  #askForKey() {
    this.#keyDialog?.show();
  }

  /** @param {CustomEvent<string | null>} event */
  async #saveKey({ detail: key }) {
    this.api.key = key;
    this.preferences.key = key;
    this.requestUpdate();
    await this.served.ask();
    if (this.needsKey) return;
    this.#retryPictures();
    const refused = this.conversation.turns.findLast(({ answer }) => needsKey(answer.trouble?.error ?? answer.error));
    const isLast = refused === this.conversation.turns.at(-1);
    if (refused && (isLast || refused.answer.trouble) && !this.#isBusy) {
      await this.#answered(this.conversation.retry(refused));
    }
  }

  /** What failed for want of a key or a connection may work now. */
  #retryPictures() {
    for (const picture of this.box.pictures) if (picture.state === "failed") picture.retry();
  }

  /** @param {"picture" | "conversation"} pane */
  #show(pane) {
    this.pane = pane;
    this.renderRoot.querySelector("huatuo-conversation")?.follow();
  }

  get #composer() {
    return this.renderRoot.querySelector("huatuo-composer");
  }

  get #keyDialog() {
    return this.renderRoot.querySelector("huatuo-key-dialog");
  }

  get #startOverDialog() {
    return this.renderRoot.querySelector("huatuo-start-over-dialog");
  }
}

customElements.define("huatuo-app", App);

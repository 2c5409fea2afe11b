/** Buttons that open the system's dialogs for files, a folder or the camera. */
import { LitElement, css, html } from "lit";
import { icon } from "./icon.js";
import { chosen } from "./intake.js";
import { look } from "./look.js";
import { t, Words } from "./words.js";

const chooserStyle = css`
  :host {
    display: inline-flex;
    flex-wrap: wrap;
    gap: 0.4rem;
  }

  :host([compact]) {
    flex-wrap: nowrap;
    gap: 0;
  }

  input {
    display: none;
  }

  @media (pointer: fine) {
    .camera {
      display: none;
    }
  }
`;

/** `compact`: drawings alone. Fires "files" with them, beyond its own shadow tree. */
export class Chooser extends LitElement {
  static properties = { compact: { type: Boolean, reflect: true } };
  static styles = [look, chooserStyle];

  constructor() {
    super();
    this.compact = false;
    this.words = new Words(this);
  }

  render() {
    // No `accept`: DICOM files mostly have no ending by which a dialog would know them.
    return html`
      <input class="files" type="file" multiple @change=${this.#chosen} />
      <input class="folder" type="file" webkitdirectory @change=${this.#chosen} />
      <input class="camera" type="file" accept="image/*" capture="environment" @change=${this.#chosen} />
      ${this.#button("files", "fresh", t("viewer.add_files"))}
      ${this.#button("folder", "folder", t("viewer.add_folder"))}
      ${this.#button("camera", "camera", t("viewer.add_photo"))}
    `;
  }

  /**
   * @param {"files" | "folder" | "camera"} kind
   * @param {import("./icon.js").IconName} drawing
   * @param {string} name
   */
  #button(kind, drawing, name) {
    const open = () => /** @type {HTMLInputElement} */ (this.renderRoot.querySelector(`input.${kind}`)).click();
    const style = this.compact ? kind : `${kind} outlined`;
    return html`<button class=${style} aria-label=${name} title=${name} @click=${open}>
      ${icon(drawing)}${this.compact ? "" : name}
    </button>`;
  }

  /** @param {Event} event */
  #chosen(event) {
    const input = /** @type {HTMLInputElement} */ (event.target);
    const detail = chosen(input.files ?? []);
    // The same file may be chosen again.
    input.value = "";
    if (detail.length) this.dispatchEvent(new CustomEvent("files", { detail, bubbles: true, composed: true }));
  }
}

customElements.define("huatuo-chooser", Chooser);

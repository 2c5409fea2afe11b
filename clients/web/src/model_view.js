/** The very picture that the model sees, and what was done on the way to it. */
import { css, html, nothing } from "lit";
import { icon } from "./icon.js";
import { t } from "./words.js";

/** @typedef {import("./api.js").Provenance} Provenance */
/** @typedef {import("./picture.js").Picture} Picture */

export const modelViewStyle = css`
  .model {
    display: flex;
    flex: 1;
    flex-wrap: wrap;
    align-content: flex-start;
    gap: 1rem 1.5rem;
    min-height: 0;
    overflow: auto;
    padding: 1rem;
    background: var(--bg);
  }

  .model figure {
    margin: 0;
  }

  .model img {
    display: block;
    width: min(336px, 100%);
    aspect-ratio: 1;
    background: var(--film);
    image-rendering: pixelated;
  }

  .model img.stale {
    opacity: 0.45;
  }

  .model figcaption {
    max-width: 336px;
    margin-top: 0.5rem;
    color: var(--muted);
    font-size: var(--small);
  }

  .model .told {
    flex: 1 1 14rem;
    max-width: 30rem;
    font-size: var(--small);
  }

  .model h2 {
    margin: 0 0 0.5rem;
    font-size: 0.875rem;
  }

  .model dl {
    display: grid;
    grid-template-columns: auto 1fr;
    gap: 0.2rem 0.9rem;
    margin: 0 0 0.9rem;
  }

  .model dt {
    color: var(--muted);
  }

  .model dd {
    margin: 0;
    overflow-wrap: anywhere;
  }

  .model ul {
    display: grid;
    gap: 0.35rem;
    margin: 0;
    padding: 0;
    list-style: none;
  }

  .model li {
    display: flex;
    gap: 0.5rem;
    padding: 0.4rem 0.6rem;
    border-radius: var(--radius);
    background: var(--warn-wash);
  }

  .model li svg {
    margin-top: 0.15rem;
    color: var(--warn);
  }
`;

/** @param {Picture} picture */
export function modelView(picture) {
  const { thumbnail, provenance, isSettled } = picture;
  if (!thumbnail || !provenance) return html`<div class="model"><p role="status">${t("viewer.loading")}</p></div>`;
  const name = t("viewer.model_picture", { name: picture.label });
  return html`<div class="model" tabindex="0" role="region" aria-label=${t("viewer.model")}>
    <figure>
      <img class=${isSettled ? "" : "stale"} src=${thumbnail} alt=${name} width="336" height="336" />
      <figcaption>${t("viewer.model_caption")}</figcaption>
    </figure>
    <div class="told">
      <h2>${t("viewer.provenance")}</h2>
      <dl>${facts(provenance).map(([term, told]) => html`<dt>${term}</dt><dd>${told}</dd>`)}</dl>
      ${provenance.warnings.length ? warned(provenance.warnings) : nothing}
    </div>
  </div>`;
}

/** @param {string[]} warnings the server's, which speaks English */
function warned(warnings) {
  const one = (/** @type {string} */ text) => html`<li>${icon("warning")}<span lang="en">${text}</span></li>`;
  return html`<ul aria-label=${t("viewer.warnings")}>${warnings.map(one)}</ul>`;
}

/**
 * @param {Provenance} provenance
 * @returns {Array<[string, string]>} in the order of the way
 */
function facts(provenance) {
  const { format, bit_depth: bits, width, height, modality, transfer_syntax: syntax, frame, frames } = provenance;
  const { orientation, window, region, padding, downscaling, tokens } = provenance;
  /** @type {Array<[string, string | number | null | false]>} */
  const told = [
    [t("viewer.fact_file"), t("viewer.fact_file_told", { format, width, height, bits })],
    [t("viewer.fact_modality"), modality],
    [t("viewer.fact_syntax"), syntax],
    [t("viewer.fact_frame"), frames > 1 && t("viewer.frame_of", { frame, frames })],
    [t("viewer.fact_orientation"), orientation],
    [t("viewer.fact_window"), windowWords(window)],
    [t("viewer.fact_region"), region && region.join(", ")],
    [t("viewer.fact_padding"), padding && t("viewer.fact_padding_told")],
    [t("viewer.fact_scale"), scaleWords(downscaling)],
    [t("viewer.fact_tokens"), tokens],
  ];
  return told.flatMap(([term, value]) => (value ? [/** @type {[string, string]} */ ([term, String(value)])] : []));
}

/** @param {Provenance["window"]} window */
function windowWords(window) {
  if (!window) return t("viewer.window_none");
  const { center, width, source } = window;
  return t("viewer.window_told", { center: String(center), width: String(width), source: sourceWords(source) });
}

/** @param {string} source */
function sourceWords(source) {
  switch (source) {
    case "request":
      return t("viewer.source_request");
    case "preset":
      return t("viewer.source_preset");
    case "header":
      return t("viewer.source_header");
    case "default":
      return t("viewer.source_default");
    default:
      return t("viewer.source_percentiles");
  }
}

/** @param {number} downscaling pixels of the original for one, along a side */
function scaleWords(downscaling) {
  const factor = Math.round((downscaling >= 1 ? downscaling : 1 / downscaling) * 10) / 10;
  if (factor === 1) return t("viewer.scale_same");
  return downscaling > 1 ? t("viewer.scale_down", { factor }) : t("viewer.scale_up", { factor });
}

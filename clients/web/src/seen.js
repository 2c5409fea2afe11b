/** What was done to a turn's pictures before the model saw them: a record to open under the answer. */
import { html, nothing } from "lit";
import { t } from "./words.js";

/** @typedef {import("./api.js").Provenance} Provenance */

/**
 * @param {readonly import("./picture.js").Sent[]} pictures
 * @param {readonly Provenance[]} images of these pictures, in their order
 */
export function seen(pictures, images) {
  if (images.length === 0) return nothing;
  const numWarnings = images.reduce((sum, { warnings }) => sum + warnings.length, 0);
  const told = numWarnings > 0 ? ` · ${t("viewer.num_warnings", { count: numWarnings })}` : "";
  return html`
    <details class="seen" ?open=${numWarnings > 0}>
      <summary>${t("chat.seen", { count: images.length })}${told}</summary>
      <dl>${images.map((image, place) => one(pictures[place]?.label ?? "", image))}</dl>
    </details>
  `;
}

/**
 * @param {string} label
 * @param {Provenance} image
 */
function one(label, image) {
  const warnings = image.warnings.map((warning) => html`<dd class="warning" lang="en">${warning}</dd>`);
  return html`<dt>${label}</dt><dd>${facts(image).join(" · ")}</dd>${warnings}`;
}

/** @param {Provenance} image */
function facts(image) {
  const { modality, format, width, height, frame, frames, window, region, downscaling } = image;
  return [
    modality ?? format,
    t("chat.seen_pixels", { width, height }),
    ...(frames > 1 ? [t("chat.seen_frame", { frame, frames })] : []),
    ...(window ? [t("chat.seen_window", { center: window.center, width: window.width })] : []),
    ...(region ? [t("chat.seen_region", { region: region.join(", ") })] : []),
    ...(downscaling > 1 ? [t("chat.seen_downscaled", { times: Math.round(downscaling * 10) / 10 })] : []),
  ];
}

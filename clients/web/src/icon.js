/** Small line drawings for buttons. They say nothing to a screen reader: the button's own name does. */
import { html, svg } from "lit";

const LINES = {
  ask: "M8 13V3M3.5 7.5 8 3l4.5 4.5",
  stop: "M4 4h8v8H4z",
  copy: "M6 6h7v7H6zM3 10V3h7",
  done: "M3 8.5 6.5 12 13 4.5",
  again: "M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3",
  edit: "M3 13l.6-2.8L11 2.8l2.2 2.2-7.4 7.4z",
  remove: "M4 4l8 8M12 4l-8 8",
  key: "M8.9 7.1 14 2M12 4l1.8 1.8M6.3 7.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6z",
  light: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  dark: "M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5z",
  save: "M8 2.5v7.5M4.8 7 8 10.2 11.2 7M3 13h10",
  fresh: "M8 3v10M3 8h10",
  warning: "M8 2.2 14.5 13.5h-13zM8 6.5v3.3M8 11.6v.1",
  picture: "M2.5 3h11v10h-11zM2.5 11l3.5-3.5 3 3 2-2 2.5 2.5M10.5 6v.1",
  folder: "M2 4h4l1.5 1.5H14V13H2z",
  camera: "M2.5 5h2.3l1-1.7h4.4l1 1.7h2.3v8h-11zM8 6.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4z",
  pan: "M8 2v12M2 8h12M6.3 3.7 8 2l1.7 1.7M6.3 12.3 8 14l1.7-1.7M3.7 6.3 2 8l1.7 1.7M12.3 6.3 14 8l-1.7 1.7",
  window: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 2v12M8 5h5.2M8 8h6M8 11h5.2",
  region: "M2.5 5V2.5H5M11 2.5h2.5V5M13.5 11v2.5H11M5 13.5H2.5V11M5.5 6h5v4h-5z",
  larger: "M3 8h10M8 3v10",
  smaller: "M3 8h10",
  fit: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  invert: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 2v12M8.6 4.2l3 3M8.6 7.4l3.6 3.6M8.6 10.6l2 2",
  reset: "M3.5 8a4.5 4.5 0 1 0 1.5-3.3M3 2.5V5.4h2.9",
  model: "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z",
};

/** @typedef {keyof typeof LINES} IconName */

/**
 * A line drawing of 16 by 16.
 * @param {IconName} name
 */
export function icon(name) {
  const line = svg`<path d=${LINES[name]}></path>`;
  return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${line}</svg>`;
}

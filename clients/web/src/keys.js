/** What a key press means. */

/**
 * Whether a press of Enter ends the text: not with Shift, and not while an input method (Chinese, say) offers words.
 * @param {KeyboardEvent} event
 */
export function isEnter(event) {
  return event.key === "Enter" && !event.shiftKey && !event.isComposing;
}

/** Text to the clipboard. */

/**
 * Copy a text, and say whether that worked. A page that came by plain http from another machine has no
 * `navigator.clipboard`; there the older way is left.
 * @param {string} text
 */
export async function copy(text) {
  if (!navigator.clipboard) return copiedFromField(text);
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedFromField(text);
  }
}

/** @param {string} text */
function copiedFromField(text) {
  const field = document.createElement("textarea");
  field.className = "off-screen";
  field.value = text;
  const held = document.activeElement;
  document.body.append(field);
  field.select();
  const worked = document.execCommand("copy");
  field.remove();
  if (held instanceof HTMLElement) held.focus();
  return worked;
}

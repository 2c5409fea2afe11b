/** An answer's Markdown -> HTML that can do nothing: no scripts, no pictures, no styles, links to the web only. */

import DOMPurify from "dompurify";
import MarkdownIt from "markdown-it";

const WEB = /^https?:\/\//i;

const TAGS = [
  ...["h3", "h4", "h5", "h6", "p", "br", "hr", "blockquote", "ul", "ol", "li", "pre", "code", "strong", "em", "s", "a"],
  ...["table", "thead", "tbody", "tr", "th", "td"],
];

const ATTRIBUTES = ["href", "target", "rel", "start", "align"];

const reader = new MarkdownIt({ html: false, linkify: false, breaks: true }).disable("image");
reader.validateLink = (url) => WEB.test(url);
reader.core.ruler.push("settle", (state) => {
  for (const token of state.tokens) [token, ...(token.children ?? [])].forEach(settle);
});

/**
 * HTML as Markdown makes it. Tags in the text are text.
 * @param {string} text
 */
export function written(text) {
  return reader.render(text);
}

/**
 * The same, and nothing in it but what an answer needs: this alone may become part of the page.
 * @param {string} text
 * @returns {TrustedHTML}
 */
export function rendered(text) {
  return DOMPurify.sanitize(written(text), {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ATTRIBUTES,
    ALLOWED_URI_REGEXP: WEB,
    // Else the pattern above would be asked about them too.
    ADD_URI_SAFE_ATTR: ["target", "rel", "start", "align"],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_TRUSTED_TYPE: true,
  });
}

/**
 * A link opens beside the page and learns nothing of it; headings stand below the page's own; a column's side is no
 * style, and code has no class.
 * @param {import("markdown-it").Token} token
 */
function settle(token) {
  if (token.type === "link_open") {
    token.attrs = [["href", token.attrGet("href") ?? ""]];
    token.attrSet("target", "_blank");
    token.attrSet("rel", "noopener noreferrer");
  }
  if (token.type === "heading_open" || token.type === "heading_close") {
    token.tag = `h${Math.min(6, Number(token.tag[1]) + 2)}`;
  }
  if (token.type === "th_open" || token.type === "td_open") {
    const side = /^text-align:(left|center|right)$/.exec(String(token.attrGet("style")));
    token.attrs = side ? [["align", side[1]]] : null;
  }
  if (token.type === "fence") token.info = "";
}

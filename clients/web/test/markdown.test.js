import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { written } from "../src/markdown.js";

const NOT_THE_WEB = [
  "javascript:alert(1)",
  "JaVaScRiPt:alert(1)",
  "&#106;avascript:alert(1)",
  "data:text/html,x",
  "vbscript:x",
  "file:///etc/passwd",
  "//example.org",
  "v1/files",
  "mailto:a@example.org",
  "blob:http://a/b",
];

const TAGS = [
  "<script>alert(1)</script>",
  "<b onclick=alert(1)>x",
  '"><svg onload=alert(1)>',
  "<iframe src=//x>",
  "**half <i",
  "`open <script>",
  "```html\n<script>",
  "<!-- <style> -->",
  "<a href='javascript:x'>",
];

const PICTURES = [
  "![a](https://example.org/a.png)",
  "![a][b]\n\n[b]: https://example.org/a.png",
  "<img src=x>",
];

describe("an answer's Markdown", () => {
  it("becomes paragraphs, lists, emphasis, code and tables", () => {
    const html = written("**Lungs**: clear\nHeart: `normal`\n\n3. three\n4. four\n\n| a | b |\n|---|--:|\n| 1 | 2 |");
    assert.match(html, /<p><strong>Lungs<\/strong>: clear<br>\nHeart: <code>normal<\/code><\/p>/);
    assert.match(html, /<ol start="3">/);
    assert.match(html, /<td>1<\/td>\s*<td align="right">2<\/td>/);
  });

  it("has headings below the page's own", () => {
    assert.equal(written("# One\n\n###### Six"), "<h3>One</h3>\n<h6>Six</h6>\n");
  });

  it("has links to the web only, that open beside the page and tell it nothing", () => {
    const link = '<a href="https://example.org/a" target="_blank" rel="noopener noreferrer">a</a>';
    assert.equal(written('[a](https://example.org/a "title")'), `<p>${link}</p>\n`);
    for (const url of NOT_THE_WEB) {
      assert.doesNotMatch(written(`[a](${url}) <${url}>`), /<a/, url);
    }
  });

  it("has no pictures: nothing is fetched for an answer", () => {
    for (const text of PICTURES) {
      assert.doesNotMatch(written(text), /<img/, text);
    }
  });

  it("shows tags, handlers and half-closed markup as text", () => {
    for (const text of TAGS) {
      const tags = written(text).match(/<\/?(?!(?:p|pre|code|br|strong|em)\b)\w+/g);
      assert.equal(tags, null, text);
    }
  });

  it("has neither styles nor classes, whatever a fence or a column asks for", () => {
    const html = written("```js huatuo-app\nx\n```\n\n| a |\n|:-:|\n| 1 |");
    assert.doesNotMatch(html, /style=|class=/);
  });
});

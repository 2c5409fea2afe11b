// Writes the page as it is served: `node assemble.mjs FOLDER`.
//
// That is our sources, and of the installed packages the modules that these import, with licences, as they are; but
// from our modules the comments on lines of their own are left out, which are a tenth of all that goes over the wire.
// A module that nothing imports is left out, and an import that the import map does not know is an error.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const OWN = ["index.html", "style.css", "icon.svg"];

// One file each, which imports nothing: what looks like an import in them is text.
const SEALED = ["markdown-it", "dompurify", "dicom-parser"];

// What a package holds of others: their licences come along.
const HOLDS = { "markdown-it": ["entities", "linkify-it", "mdurl", "punycode.js", "uc.micro"] };

// No ES modules: they hand themselves to `module.exports`, where there is one. Of DOMPurify no other file is small.
const COMMON = ["vendor/dicom-parser/", "vendor/dompurify/"];
const BEFORE = "const module = { exports: {} }, exports = module.exports, require = () => undefined;\n";
const AFTER = "\nexport default module.exports;\n";

const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g;
const COMMENT = /^[ \t]*(?:\/\*\*(?:(?!\*\/)[^])*\*\/|\/\/.*)$/gm;
const LICENCE = /^(licen[cs]e|notice)/i;

main(process.argv[2]);

/** @param {string | undefined} folder replaced as a whole, once all has been found. */
function main(folder) {
  if (!folder) {
    process.stderr.write("usage: node assemble.mjs FOLDER\n");
    process.exit(2);
  }
  const modules = reachable(importMap());
  const whole = resolve(folder);
  const part = `${whole}.${process.pid}.part`;
  for (const name of [...OWN, ...modules, ...licences(modules)]) write(part, name);
  rmSync(whole, { recursive: true, force: true });
  renameSync(part, whole);
}

/** @returns {Record<string, string>} what the browser is told: a name, or the beginning of names, and its file. */
function importMap() {
  const page = readFileSync(join(HERE, "index.html"), "utf8");
  const text = /<script type="importmap">(.*?)<\/script>/s.exec(page)?.[1] ?? "{}";
  const named = Object.entries(JSON.parse(text).imports ?? {});
  return Object.fromEntries(named.map(([name, file]) => [name, String(file).replace(/^\.\/page\//, "")]));
}

/** Every module that the browser may come to, by its place in the folder. */
function reachable(map) {
  const found = new Set(ownModules("src"));
  for (const name of found) {
    for (const wanted of imports(name)) found.add(place(wanted, name, map));
  }
  return found;
}

/** Our own, imported or not: a language is chosen when the page runs. */
function ownModules(folder) {
  return readdirSync(join(HERE, folder), { withFileTypes: true }).flatMap((one) => {
    const name = `${folder}/${one.name}`;
    if (one.isDirectory()) return ownModules(name);
    return name.endsWith(".js") ? [name] : [];
  });
}

function imports(name) {
  if (SEALED.some((one) => name.startsWith(`vendor/${one}/`))) return [];
  return [...readFileSync(source(name), "utf8").matchAll(IMPORT)].map((match) => match[1]);
}

/** Where the browser finds what the module `from` imports. */
function place(wanted, from, map) {
  if (wanted.startsWith(".")) return posix.join(posix.dirname(from), wanted);
  if (map[wanted]) return map[wanted];
  const prefix = Object.keys(map).find((name) => name.endsWith("/") && wanted.startsWith(name));
  if (!prefix) throw new Error(`${from} imports ${wanted}, which the import map of index.html does not name`);
  return map[prefix] + wanted.slice(prefix.length);
}

/** Of each package that has a module here, and of what these hold. */
function licences(modules) {
  const packages = new Set([...modules].map(packageOf).filter(Boolean));
  const all = [...packages].flatMap((name) => [name, ...(HOLDS[name] ?? [])]);
  return all.flatMap((name) => {
    const found = readdirSync(join(HERE, "node_modules", name)).filter((file) => LICENCE.test(file));
    if (found.length === 0) throw new Error(`${name} comes without a licence`);
    return found.map((file) => `vendor/${name}/${file}`);
  });
}

function packageOf(name) {
  return /^vendor\/((?:@[^/]+\/)?[^/]+)/.exec(name)?.[1];
}

/** Where a file of the folder comes from. */
function source(name) {
  return name.startsWith("vendor/") ? join(HERE, "node_modules", name.slice("vendor/".length)) : join(HERE, name);
}

function write(folder, name) {
  const target = join(folder, name);
  mkdirSync(dirname(target), { recursive: true });
  if (!name.endsWith(".js")) copyFileSync(source(name), target);
  else writeFileSync(target, served(name, readFileSync(source(name), "utf8")));
}

/** What the browser gets of a module. Its lines keep their numbers. */
function served(name, text) {
  if (COMMON.some((one) => name.startsWith(one))) return BEFORE + text + AFTER;
  if (name.startsWith("vendor/")) return text;
  return text.replaceAll(COMMENT, (comment) => "\n".repeat(comment.split("\n").length - 1));
}

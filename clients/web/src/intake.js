/** Files that a person drops, pastes, chooses or photographs -> pictures. */
import { Picture } from "./picture.js";
import { grouped, isDicom } from "./series.js";

/** @typedef {import("./api.js").Api} Api */
/** @typedef {import("./series.js").Given} Given */

/** A study's folder holds some thousand files; a whole disk, dropped by mistake, is not read to its end. */
export const MOST_FILES = 5000;

const PICTURE_NAMES = /\.(png|jpe?g|webp|bmp|tiff?|gif)$/i;

/** What systems leave in folders, and DICOM's own table of contents. */
const NO_PICTURES = /^(\..*|thumbs\.db|desktop\.ini|dicomdir)$/i;

/**
 * Of a file dialog. A folder's files come with their paths.
 * @param {Iterable<File>} files
 * @returns {Given[]}
 */
export function chosen(files) {
  return [...files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
}

/**
 * Of a drop or a paste; folders are gone through, until there is one file more than is read.
 * @param {DataTransfer} transfer
 * @returns {Promise<Given[]>}
 */
export async function dropped(transfer) {
  // The items are gone after the event: all that is asked of them is asked at once.
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  const found = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  /** @type {Given[]} */
  const givens = [];
  for (const one of found) {
    if (one instanceof File) givens.push({ file: one, path: one.name });
    else if (one) await walk(one, givens);
  }
  return givens;
}

/**
 * At most `room` pictures, in the order in which they came; a series is one. No more than MOST_FILES are read.
 * @param {readonly Given[]} givens
 * @param {Api} api
 * @param {number} room
 * @returns {Promise<{pictures: Picture[], numLeft: number, isCut: boolean}>} numLeft: pictures for which there was no
 *   room; isCut: there were more files
 */
export async function pictures(givens, api, room) {
  const groups = await grouped(await likely(givens.slice(0, MOST_FILES)));
  const taken = groups.slice(0, Math.max(0, room));
  return {
    pictures: taken.map((group) => new Picture(api, group.map(({ file }) => file), nameOf(group))),
    numLeft: groups.length - taken.length,
    isCut: givens.length > MOST_FILES,
  };
}

/**
 * In a folder lie other things too. What was given by itself is meant, and the server says what is wrong with it.
 * @param {readonly Given[]} givens
 */
async function likely(givens) {
  const kept = [];
  for (const given of givens) {
    const isMeant = !given.path.includes("/");
    if (isMeant || (await isPicture(given.file))) kept.push(given);
  }
  return kept;
}

/** @param {File} file */
async function isPicture(file) {
  return !NO_PICTURES.test(file.name) && (PICTURE_NAMES.test(file.name) || (await isDicom(file)));
}

/**
 * A series is called as its folder.
 * @param {Given[]} group
 */
function nameOf([{ file, path }, ...others]) {
  const folders = path.split("/").filter(Boolean).slice(0, -1);
  return (others.length > 0 && folders.at(-1)) || file.name;
}

/**
 * @param {FileSystemEntry} entry
 * @param {Given[]} givens
 */
async function walk(entry, givens) {
  if (givens.length > MOST_FILES) return;
  if (isFolder(entry)) {
    for (const inner of await entriesOf(entry)) await walk(inner, givens);
    return;
  }
  const file = await fileOf(/** @type {FileSystemFileEntry} */ (entry));
  const depth = entry.fullPath.split("/").length;
  givens.push({ file, path: depth > 2 ? entry.fullPath : file.name });
}

/**
 * @param {FileSystemEntry} entry
 * @returns {entry is FileSystemDirectoryEntry}
 */
function isFolder(entry) {
  return entry.isDirectory;
}

/**
 * @param {FileSystemDirectoryEntry} folder
 * @returns {Promise<FileSystemEntry[]>}
 */
async function entriesOf(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    // It gives a hundred at a time, and none at the end.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}

/**
 * @param {FileSystemFileEntry} entry
 * @returns {Promise<File>}
 */
function fileOf(entry) {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

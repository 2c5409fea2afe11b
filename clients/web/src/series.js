/** DICOM files -> series in their order, by what their headers say. Nothing of a header is kept or sent. */

/** @typedef {{file: File, path: string}} Given a file, and where it lay in the folder that was given */

/**
 * Where a slice stands among others.
 * @typedef {object} Slot
 * @property {string} stack slices of one stack may be gone through with a slider; empty: it stands alone
 * @property {number | null} position millimetres along the stack's normal
 * @property {number | null} instance the scanner's own count
 */

/** Cross-sections. Two films of a chest are a series too, but never a stack. */
const STACKED = new Set(["CT", "MR", "PT"]);

/** More than any header needs, mostly; where it is not enough, all of the file is read. */
const HEAD_BYTES = 1 << 20;

const PREAMBLE_BYTES = 128;

const PIXEL_DATA = "x7fe00010";

/** @type {Slot} */
const ALONE = Object.freeze({ stack: "", position: null, instance: null });

/** @param {Blob} file */
export async function isDicom(file) {
  return (await file.slice(PREAMBLE_BYTES, PREAMBLE_BYTES + 4).text()) === "DICM";
}

/**
 * Files that belong together, in the order of the stack; every other one on its own, where it stood.
 * @param {readonly Given[]} givens
 * @returns {Promise<Given[][]>}
 */
export async function grouped(givens) {
  /** @type {Map<string, Array<{given: Given, slot: Slot}>>} */
  const groups = new Map();
  for (const [place, given] of givens.entries()) {
    const slot = givens.length > 1 ? await slotOf(given.file) : ALONE;
    const name = slot.stack || String(place);
    groups.set(name, [...(groups.get(name) ?? []), { given, slot }]);
  }
  return [...groups.values()].map((group) => ordered(group).map(({ given }) => given));
}

/**
 * Along the normal, in the direction in which the scanner counted; by its count where positions are missing or come
 * twice, as in a study over time; else by name.
 * @template {{given: Given, slot: Slot}} One
 * @param {One[]} group
 * @returns {One[]}
 */
export function ordered(group) {
  if (areDistinct(group.map(({ slot }) => slot.position))) {
    const along = group.toSorted((one, other) => Number(one.slot.position) - Number(other.slot.position));
    const [first, last] = [along[0].slot.instance, along[along.length - 1].slot.instance];
    return first !== null && last !== null && first > last ? along.reverse() : along;
  }
  if (areDistinct(group.map(({ slot }) => slot.instance))) {
    return group.toSorted((one, other) => Number(one.slot.instance) - Number(other.slot.instance));
  }
  return group.toSorted((one, other) => one.given.path.localeCompare(other.given.path, "en", { numeric: true }));
}

/** @param {Array<number | null>} places */
function areDistinct(places) {
  return !places.includes(null) && new Set(places).size === places.length;
}

/**
 * @param {File} file
 * @returns {Promise<Slot>}
 */
async function slotOf(file) {
  if (!(await isDicom(file))) return ALONE;
  // Its first use loads it: who looks at photographs never needs it.
  const { default: dicomParser } = await import("dicom-parser");
  for (const head of [file.slice(0, HEAD_BYTES), file]) {
    try {
      const bytes = new Uint8Array(await head.arrayBuffer());
      return slot(dicomParser.parseDicom(bytes, { untilTag: PIXEL_DATA }));
    } catch {
      // A header that goes on, or is damaged, or deflated. The server says what is wrong with a file.
    }
  }
  return ALONE;
}

/**
 * @param {import("dicom-parser").DataSet} header
 * @returns {Slot}
 */
function slot(header) {
  const series = header.string("x0020000e");
  const [position, orientation] = [numbers(header, "x00200032", 3), numbers(header, "x00200037", 6)];
  const place = position && orientation ? distance(position, orientation) : null;
  const isStacked = place !== null || STACKED.has(String(header.string("x00080060")));
  if (!series || !isStacked || Number(header.intString("x00280008")) > 1) return ALONE;
  const size = [header.uint16("x00280010"), header.uint16("x00280011")];
  return {
    stack: [series, size, orientation?.map((part) => part.toFixed(2))].join("|"),
    position: place,
    instance: numbers(header, "x00200013", 1)?.[0] ?? null,
  };
}

/**
 * @param {import("dicom-parser").DataSet} header
 * @param {string} tag
 * @param {number} count
 */
function numbers(header, tag, count) {
  const found = Array.from({ length: count }, (_, place) => header.floatString(tag, place) ?? NaN);
  return found.every(Number.isFinite) ? found : null;
}

/**
 * How far along the normal of its own plane a slice stands (PS3.3 C.7.6.2.1.1).
 * @param {number[]} position
 * @param {number[]} orientation of a row, and of a column
 */
function distance([x, y, z], [rx, ry, rz, cx, cy, cz]) {
  return x * (ry * cz - rz * cy) + y * (rz * cx - rx * cz) + z * (rx * cy - ry * cx);
}

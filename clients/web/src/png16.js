/** A 16-bit greyscale PNG -> its numbers. A browser's own decoder would keep the upper 8 bits. */

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const HEADER_BYTES = 13;
const SAMPLE_BYTES = 2;

/** @typedef {{width: number, height: number, numbers: Uint16Array}} Numbers row by row, from the top left */

/**
 * Throws an Error for anything else than 16-bit grey without interlacing, and for damage.
 * @param {Blob} blob
 * @returns {Promise<Numbers>}
 */
export async function decode(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  if (SIGNATURE.some((byte, place) => bytes[place] !== byte)) throw damaged();
  const { header, data } = read(bytes);
  const view = new DataView(header.buffer, header.byteOffset, HEADER_BYTES);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, colour, , , interlace] = header.subarray(8);
  if (depth !== 16 || colour !== 0 || interlace !== 0) throw new Error("The PNG is not of 16 bits in grey.");
  const rows = await inflated(data, height * (1 + width * SAMPLE_BYTES));
  return { width, height, numbers: joined(unfiltered(rows, width * SAMPLE_BYTES, height)) };
}

/**
 * The header's payload, and those of the pictures' data.
 * @param {Uint8Array} bytes
 */
function read(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** @type {Uint8Array | null} */
  let header = null;
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const data = [];
  for (let place = SIGNATURE.length; place + 12 <= bytes.length; ) {
    const length = view.getUint32(place);
    const kind = String.fromCharCode(...bytes.subarray(place + 4, place + 8));
    const payload = bytes.slice(place + 8, place + 8 + length);
    if (kind === "IHDR" && payload.length === HEADER_BYTES) header = payload;
    if (kind === "IDAT") data.push(payload);
    place += 12 + length;
  }
  if (!header || data.length === 0) throw damaged();
  return { header, data };
}

/**
 * @param {Uint8Array<ArrayBuffer>[]} data
 * @param {number} numBytes
 */
async function inflated(data, numBytes) {
  const stream = new Blob(data).stream().pipeThrough(new DecompressionStream("deflate"));
  const rows = new Uint8Array(await new Response(stream).arrayBuffer());
  if (rows.length < numBytes) throw damaged();
  return rows;
}

/**
 * Undoes each row's filter (PNG 9.2).
 * @param {Uint8Array} filtered a byte for the filter before each row
 * @param {number} stride bytes of a row
 * @param {number} height
 */
function unfiltered(filtered, stride, height) {
  const bytes = new Uint8Array(stride * height);
  let above = new Uint8Array(stride);
  for (let row = 0; row < height; row += 1) {
    const begin = row * (stride + 1);
    const line = bytes.subarray(row * stride, (row + 1) * stride);
    line.set(filtered.subarray(begin + 1, begin + 1 + stride));
    const undo = FILTERS[filtered[begin]];
    if (!undo) throw damaged();
    undo(line, above);
    above = line;
  }
  return bytes;
}

/** @type {Array<(line: Uint8Array, above: Uint8Array) => void>} by the number that stands before a row */
const FILTERS = [
  () => undefined,
  function sub(line) {
    for (let i = SAMPLE_BYTES; i < line.length; i += 1) line[i] += line[i - SAMPLE_BYTES];
  },
  function up(line, above) {
    for (let i = 0; i < line.length; i += 1) line[i] += above[i];
  },
  function average(line, above) {
    for (let i = 0; i < line.length; i += 1) {
      const left = i < SAMPLE_BYTES ? 0 : line[i - SAMPLE_BYTES];
      line[i] += (left + above[i]) >> 1;
    }
  },
  function paeth(line, above) {
    for (let i = 0; i < Math.min(SAMPLE_BYTES, line.length); i += 1) line[i] += above[i];
    for (let i = SAMPLE_BYTES; i < line.length; i += 1) {
      line[i] += nearest(line[i - SAMPLE_BYTES], above[i], above[i - SAMPLE_BYTES]);
    }
  },
];

/**
 * Paeth's predictor (PNG 9.4).
 * @param {number} left
 * @param {number} up
 * @param {number} corner
 */
function nearest(left, up, corner) {
  const [toLeft, toUp] = [Math.abs(up - corner), Math.abs(left - corner)];
  const toCorner = Math.abs(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

/** @param {Uint8Array} bytes of samples, the most significant first */
function joined(bytes) {
  const numbers = new Uint16Array(bytes.length / SAMPLE_BYTES);
  for (let i = 0; i < numbers.length; i += 1) numbers[i] = (bytes[2 * i] << 8) | bytes[2 * i + 1];
  return numbers;
}

function damaged() {
  return new Error("The PNG is damaged.");
}

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { grouped, isDicom } from "../src/series.js";

const AXIAL = "1\\0\\0\\0\\1\\0";
const SAGITTAL = "0\\1\\0\\0\\0\\-1";

function element(group, number, kind, value) {
  const text = value.length % 2 ? `${value} ` : value;
  const head = Buffer.alloc(8);
  head.writeUInt16LE(group);
  head.writeUInt16LE(number, 2);
  head.write(kind, 4, "latin1");
  head.writeUInt16LE(text.length, 6);
  return Buffer.concat([head, Buffer.from(text, "latin1")]);
}

/** A DICOM file as far as its pixels, explicit little endian; what is not given is not in it. */
function slice(name, facts) {
  const { series = "1.2.3", modality = "CT", instance, position, orientation = AXIAL, frames, pixels = 8 } = facts;
  const meta = element(0x0002, 0x0010, "UI", "1.2.840.10008.1.2.1\0");
  const length = Buffer.from([2, 0, 0, 0, 0x55, 0x4c, 4, 0, meta.length, 0, 0, 0]);
  const data = Buffer.from([0xe0, 0x7f, 0x10, 0, 0x4f, 0x57, 0, 0, pixels, 0, 0, 0]);
  const header = [
    modality && element(0x0008, 0x0060, "CS", modality),
    series && element(0x0020, 0x000e, "UI", series),
    instance !== undefined && element(0x0020, 0x0013, "IS", String(instance)),
    position && element(0x0020, 0x0032, "DS", position),
    orientation && element(0x0020, 0x0037, "DS", orientation),
    frames && element(0x0028, 0x0008, "IS", String(frames)),
  ];
  const bytes = [Buffer.alloc(128), Buffer.from("DICM"), length, meta, ...header.filter(Boolean), data];
  return { file: new File([Buffer.concat([...bytes, Buffer.alloc(pixels)])], name), path: `study/${name}` };
}

const photo = (name) => ({ file: new File([new Uint8Array(200)], name), path: name });

const names = async (givens) => (await grouped(givens)).map((group) => group.map(({ file }) => file.name));

describe("slices of a series", () => {
  it("stand along the normal of their plane, whatever their files are called", async () => {
    const position = (z) => `-120\\-80\\${z}`;
    const found = await names([
      slice("a", { position: position(10), instance: 3 }),
      slice("b", { position: position(-2.5), instance: 1 }),
      slice("c", { position: position(5), instance: 2 }),
    ]);
    assert.deepEqual(found, [["b", "c", "a"]]);
  });

  it("go the way in which the scanner counted", async () => {
    const found = await names([
      slice("a", { position: "0\\0\\1", instance: 3 }),
      slice("b", { position: "0\\0\\2", instance: 2 }),
      slice("c", { position: "0\\0\\3", instance: 1 }),
    ]);
    assert.deepEqual(found, [["c", "b", "a"]]);
  });

  it("are taken along their own normal where they are not axial", async () => {
    const found = await names([
      slice("a", { position: "30\\0\\0", orientation: SAGITTAL }),
      slice("b", { position: "10\\9\\9", orientation: SAGITTAL }),
      slice("c", { position: "20\\-9\\4", orientation: SAGITTAL }),
    ]);
    // A row along y and a column along -z: the normal is -x.
    assert.deepEqual(found, [["a", "c", "b"]]);
  });

  it("go by the scanner's count where positions come twice, or there are none", async () => {
    const twice = [3, 1, 2].map((instance) => slice(`t${instance}`, { position: "0\\0\\5", instance }));
    const none = [10, 9].map((instance) => slice(`n${instance}`, { series: "1.2.4", orientation: null, instance }));
    assert.deepEqual(await names([...twice, ...none]), [["t1", "t2", "t3"], ["n9", "n10"]]);
  });

  it("go by name where nothing else is known, numbers as numbers", async () => {
    assert.deepEqual(await names([slice("IM10", {}), slice("IM9", {})]), [["IM9", "IM10"]]);
  });

  it("are read though their pixels are long", async () => {
    const found = await names([
      slice("a", { position: "0\\0\\2", pixels: 40 }),
      slice("b", { position: "0\\0\\1", pixels: 40 }),
    ]);
    assert.deepEqual(found, [["b", "a"]]);
  });
});

describe("what stands alone", () => {
  it("are films of a projection, though they are a series", async () => {
    const film = { modality: "DX", orientation: null };
    assert.deepEqual(await names([slice("pa", film), slice("lateral", film)]), [["pa"], ["lateral"]]);
  });

  it("are files with frames of their own, and slices of other series, planes and scouts", async () => {
    const found = await names([
      slice("a", { position: "0\\0\\1" }),
      slice("cine", { frames: 12, position: "0\\0\\1" }),
      slice("other", { series: "1.2.9", position: "0\\0\\1" }),
      slice("scout", { orientation: SAGITTAL, position: "0\\0\\1" }),
    ]);
    assert.deepEqual(found, [["a"], ["cine"], ["other"], ["scout"]]);
  });

  it("are photographs, and DICOM files that cannot be read, where they stood", async () => {
    const broken = { file: new File([new Uint8Array(128), "DICM", "nonsense"], "broken"), path: "broken" };
    assert.deepEqual(await names([photo("one.png"), broken, photo("two.png")]), [["one.png"], ["broken"], ["two.png"]]);
  });
});

describe("a DICOM file", () => {
  it("is known by its bytes and not by its name", async () => {
    assert.equal(await isDicom(slice("no-ending", {}).file), true);
    assert.equal(await isDicom(photo("picture.dcm").file), false);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { MOST_FILES, chosen, dropped, pictures } from "../src/intake.js";

/** Files of no bytes: they are not read for what they hold. */
const files = (count) => Array.from({ length: count }, (_, place) => new File([], `${place}.png`));

/** A folder as a drop has it, which gives a hundred of its entries at a time. */
function folder(count) {
  const entries = files(count).map((file) => ({
    isDirectory: false,
    fullPath: `/study/${file.name}`,
    file: (done) => done(file),
  }));
  const readEntries = (done) => done(entries.splice(0, 100));
  return { isDirectory: true, fullPath: "/study", createReader: () => ({ readEntries }) };
}

const transferOf = (entry) => ({ items: [{ kind: "file", webkitGetAsEntry: () => entry }] });

describe("a folder", () => {
  it("of as many files as are read is read whole", async () => {
    const found = await pictures(await dropped(transferOf(folder(MOST_FILES))), {}, 0);
    assert.deepEqual([found.numLeft, found.isCut], [MOST_FILES, false]);
  });

  it("of more files than are read says so, dropped or chosen", async () => {
    const given = [await dropped(transferOf(folder(MOST_FILES + 50))), chosen(files(MOST_FILES + 50))];
    for (const givens of given) {
      const found = await pictures(givens, {}, 0);
      assert.deepEqual([found.numLeft, found.isCut], [MOST_FILES, true]);
    }
  });
});

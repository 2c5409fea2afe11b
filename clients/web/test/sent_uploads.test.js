import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { SentUploads } from "../src/sent_uploads.js";

/** As a picture went with a question. @param {string} id */
const sent = (id) => /** @type {any} */ ({ part: { type: "file", file: { file_id: id } }, thumbnail: `blob:${id}` });

describe("the uploads that were sent", () => {
  /** @type {string[]} */
  let removed;
  /** @type {SentUploads} */
  let uploads;

  beforeEach(() => {
    removed = [];
    uploads = new SentUploads({
      remove: (id) => {
        removed.push(id);
        return Promise.reject(new Error("it is gone already"));
      },
    });
  });

  it("stay as long as a turn has them", () => {
    const [one, other] = [sent("file-1"), sent("file-2")];
    uploads.keep([one], []);
    uploads.keep([one, other], []);
    assert.deepEqual(removed, []);
  });

  it("go with the last turn that had them, once", () => {
    const [first, again] = [sent("file-1"), sent("file-1")];
    uploads.keep([first, again], []);
    uploads.keep([again], []);
    assert.deepEqual(removed, []);
    uploads.keep([], []);
    uploads.keep([], []);
    assert.deepEqual(removed, ["file-1"]);
  });

  it("stay while their picture lies on the page, and go with it", () => {
    uploads.keep([sent("file-1")], ["file-1"]);
    uploads.keep([], ["file-1", "file-2"]);
    assert.deepEqual(removed, []);
    uploads.keep([], []);
    assert.deepEqual(removed, ["file-1"]);
  });

  it("stay where they are sent again after their turn went", () => {
    uploads.keep([sent("file-1")], ["file-1"]);
    uploads.keep([], ["file-1"]);
    uploads.keep([sent("file-1")], []);
    assert.deepEqual(removed, []);
  });
});

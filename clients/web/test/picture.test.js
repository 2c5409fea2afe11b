import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ApiError } from "../src/api.js";
import { Picture } from "../src/picture.js";

/** A server that keeps files and renders them; `refuse` makes its next answers errors. */
class FakeApi {
  uploads = [];
  removed = [];
  rendered = [];
  /** @type {Array<ApiError | null>} one for each render */
  refuse = [];
  frames = 1;

  async upload(blob) {
    this.uploads.push(blob);
    return { id: `file-${this.uploads.length}` };
  }

  async remove(id) {
    this.removed.push(id);
  }

  async render(part) {
    this.rendered.push(part.file);
    const error = this.refuse.shift();
    if (error) throw error;
    const { frame = this.frames > 1 ? 3 : 1 } = part.file.view ?? {};
    return { blob: new Blob([JSON.stringify(part)]), provenance: { frame, frames: this.frames, warnings: [] } };
  }
}

const film = (name = "film.dcm") => new File(["x"], name);

async function taken(api, files = [film()]) {
  const picture = new Picture(api, files, "film.dcm");
  await picture.settled();
  return picture;
}

describe("a picture", () => {
  it("is uploaded once, and ready when the model's picture of it is there", async () => {
    const api = new FakeApi();
    const picture = await taken(api);
    assert.deepEqual([picture.state, picture.uploads[0], api.uploads.length], ["ready", "file-1", 1]);
    assert.deepEqual(picture.part(), { type: "file", file: { file_id: "file-1" } });
    picture.setWindow({ center: 40, width: 80 });
    await picture.settled();
    assert.equal(api.uploads.length, 1);
    assert.match(picture.thumbnail, /^blob:/);
  });

  it("is looked at through a window or a preset, and a region, and says only what was asked for", async () => {
    const picture = await taken(new FakeApi());
    picture.setPreset("lung");
    picture.setRegion([1, 2, 30, 40]);
    assert.deepEqual(picture.part().file.view, { preset: "lung", region: [1, 2, 30, 40] });
    picture.setWindow({ center: 1, width: 2 });
    picture.setRegion(null);
    assert.deepEqual(picture.part().file.view, { window: { center: 1, width: 2 } });
    picture.setWindow(null);
    assert.equal(picture.part().file.view, undefined);
  });

  it("has a key for each view, and the same one for the same view", async () => {
    const api = new FakeApi();
    const [one, other] = [await taken(api), await taken(api)];
    const first = one.key;
    one.setPreset("bone");
    assert.notEqual(one.key, first);
    one.setWindow(null);
    assert.equal(one.key, first);
    assert.notEqual(other.key, first);
    one.invert();
    assert.equal(one.key, first);
  });

  it("keeps the server's choice of a frame until somebody chooses", async () => {
    const api = new FakeApi();
    api.frames = 5;
    const picture = await taken(api);
    assert.deepEqual([picture.frame, picture.part().file.view], [3, undefined]);
    picture.goTo(99);
    await picture.settled();
    assert.deepEqual([picture.frame, picture.part().file.view, picture.label], [5, { frame: 5 }, "film.dcm 5/5"]);
  });

  it("shows the newest view, though an older one's render comes later", async () => {
    const api = new FakeApi();
    const picture = await taken(api);
    const slow = deferred();
    const render = api.render.bind(api);
    api.render = async (part) => {
      if (part.file.view?.preset === "lung") await slow.promise;
      return render(part);
    };
    picture.setPreset("lung");
    await new Promise(setImmediate);
    picture.setPreset("bone");
    await picture.settled();
    slow.resolve();
    await new Promise(setImmediate);
    assert.match(await picture.seen.text(), /bone/);
  });
});

describe("a series", () => {
  it("begins in its middle, and uploads a slice when it is looked at", async () => {
    const api = new FakeApi();
    const picture = await taken(api, [film("1"), film("2"), film("3")]);
    assert.deepEqual([picture.frame, picture.frames, api.uploads.map(({ name }) => name)], [2, 3, ["2"]]);
    picture.goTo(3);
    assert.equal(picture.state, "uploading");
    await picture.settled();
    assert.deepEqual(picture.part(), { type: "file", file: { file_id: "file-2" } });
    picture.goTo(2);
    await picture.settled();
    assert.equal(api.uploads.length, 2);
  });
});

describe("what goes with a question", () => {
  it("never changes afterwards", async () => {
    const picture = await taken(new FakeApi());
    const sent = picture.sent();
    picture.setPreset("lung");
    assert.ok(Object.isFrozen(sent));
    assert.deepEqual(sent.part.file.view, undefined);
    assert.notEqual(sent.key, picture.key);
    assert.equal(await sent.picture.text(), JSON.stringify(sent.part));
  });

  it("stays on the server when the picture leaves the page; what was never asked about goes", async () => {
    const api = new FakeApi();
    const [asked, unasked] = [await taken(api), await taken(api)];
    asked.sent();
    asked.close();
    unasked.close();
    assert.deepEqual(api.removed, ["file-2"]);
  });

  it("is refused before the picture is there", () => {
    assert.throws(() => new Picture(new FakeApi(), [film()], "film").sent(), /not there/);
  });

  it("is refused while the picture of a new view is on its way: no view goes with another one's picture", async () => {
    const picture = await taken(new FakeApi());
    picture.setRegion([1, 2, 30, 40]);
    assert.deepEqual([picture.state, picture.isSettled], ["ready", false]);
    assert.throws(() => picture.sent(), /not there/);
    await picture.settled();
    assert.equal(await picture.sent().picture.text(), JSON.stringify(picture.part()));
  });
});

describe("trouble", () => {
  it("is told, and over once it works again", async () => {
    const api = new FakeApi();
    const error = new ApiError({ code: "server_busy", status: 429 });
    api.refuse = [error];
    const picture = await taken(api);
    assert.deepEqual([picture.state, picture.error], ["failed", error]);
    picture.retry();
    await picture.settled();
    assert.deepEqual([picture.state, picture.error], ["ready", null]);
  });

  it("is none where the server has forgotten the file: it gets it again, once", async () => {
    const api = new FakeApi();
    const gone = new ApiError({ code: "file_not_found", status: 404 });
    api.refuse = [gone];
    const picture = await taken(api);
    assert.deepEqual([picture.state, picture.uploads[0], api.uploads.length], ["ready", "file-2", 2]);
    api.refuse = [gone, gone];
    picture.setPreset("lung");
    await picture.settled();
    assert.deepEqual([picture.state, api.uploads.length], ["failed", 3]);
  });
});

function deferred() {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ApiError } from "../src/api.js";
import { Conversation, isOnItsWay } from "../src/conversation.js";

const picture = (key) => ({ key, label: key, part: { type: "file", file: { file_id: `file-${key}` } } });
const text = (content) => ({ choices: [{ delta: { content }, finish_reason: null }] });
const end = (reason, more = {}) => ({ choices: [{ delta: {}, finish_reason: reason }], ...more });
const usage = { choices: [], usage: { prompt_tokens: 600, completion_tokens: 2, total_tokens: 602 } };

/** What the model says to each question: chunks, or an error to fail with, in the order of the questions. */
function scripted(...answers) {
  const asked = [];
  return {
    asked,
    async *chat(body) {
      asked.push(body);
      for (const chunk of answers.shift()) {
        if (chunk instanceof Error) throw chunk;
        yield chunk;
      }
    },
  };
}

/** A model that says a piece and then nothing more, until it is stopped. */
function endless(piece) {
  return {
    async *chat(_, signal) {
      yield text(piece);
      await new Promise((_resolve, reject) => {
        const stop = () => reject(Object.assign(new Error(), { name: "AbortError" }));
        if (signal.aborted) stop();
        signal.addEventListener("abort", stop);
      });
    },
  };
}

/** Resolves when the last answer has begun. */
function begun(conversation) {
  return new Promise((resolve) => {
    const look = () => {
      if (conversation.turns.at(-1)?.answer.state !== "streaming") return;
      conversation.removeEventListener("change", look);
      resolve();
    };
    conversation.addEventListener("change", look);
  });
}

describe("an answer", () => {
  it("is its pieces joined, with the time to the first, its cost, and what was done to its own pictures", async () => {
    const images = [{ sha256: "a" }, { sha256: "b" }];
    const conversation = new Conversation(
      scripted([text("A "), text("CT."), end("stop"), usage], [text("Yes."), end("stop", { images }), usage]),
    );
    await conversation.ask("What?", [picture("a")]);
    await conversation.ask("Sure?", [picture("b")]);
    const [first, second] = conversation.turns;
    assert.equal(first.answer.text, "A CT.");
    assert.equal(first.answer.state, "done");
    assert.ok(first.answer.ttftMs >= 0);
    assert.equal(first.answer.usage.completion_tokens, 2);
    assert.deepEqual(second.answer.images, [{ sha256: "b" }]);
  });

  it("goes from waiting to streaming to its end, a new object each time", async () => {
    const conversation = new Conversation(scripted([text("A"), text("B"), end("stop")]));
    const answers = new Set();
    conversation.addEventListener("change", () => answers.add(conversation.turns[0].answer));
    await conversation.ask("What?", []);
    assert.deepEqual([...new Set([...answers].map(({ state }) => state))], ["waiting", "streaming", "done"]);
  });

  it("that reached its maximum length is marked so", async () => {
    const conversation = new Conversation(scripted([text("A long"), end("length")]));
    await conversation.ask("What?", []);
    assert.equal(conversation.turns[0].answer.state, "length");
  });

  it("that failed keeps what came, and says why", async () => {
    const error = new ApiError({ code: "cut" });
    const conversation = new Conversation(scripted([text("A"), error]));
    await conversation.ask("What?", []);
    const { state, text: said, error: why } = conversation.turns[0].answer;
    assert.deepEqual([state, said, why], ["failed", "A", error]);
  });

  it("that an unforeseen error ended has failed too", async () => {
    const conversation = new Conversation(scripted([new TypeError("a defect")]));
    await conversation.ask("What?", []);
    assert.equal(conversation.turns[0].answer.error.code, "unknown");
  });

  it("that is stopped keeps what came, and leaves the conversation free for the next question", async () => {
    const conversation = new Conversation(endless("So far"));
    const asking = conversation.ask("What?", []);
    await begun(conversation);
    assert.equal(conversation.busy, true);
    conversation.stop();
    await asking;
    assert.equal(conversation.busy, false);
    assert.deepEqual([conversation.turns[0].answer.state, conversation.turns[0].answer.text], ["stopped", "So far"]);
  });
});

describe("an answer that never came to its end", () => {
  it("is cut where the stream ends without a reason", async () => {
    const conversation = new Conversation(scripted([text("No bleeding. Ho")]));
    await conversation.ask("What?", []);
    const { state, error, text: said } = conversation.turns[0].answer;
    assert.deepEqual([state, error.code, said], ["failed", "cut", "No bleeding. Ho"]);
  });

  it("is stopped where another question is asked meanwhile", async () => {
    const chats = [endless("Half"), scripted([text("New"), end("stop")])];
    const conversation = new Conversation({ chat: (body, signal) => chats.shift().chat(body, signal) });
    const asking = conversation.ask("1", []);
    await begun(conversation);
    await conversation.ask("2", []);
    await asking;
    const said = conversation.turns.map(({ answer }) => [answer.text, answer.state]);
    assert.deepEqual(said, [["Half", "stopped"], ["New", "done"]]);
    assert.equal(conversation.busy, false);
  });
});

/** A conversation of two answered turns, of which the second has a picture, and what the next questions get. */
async function talked(...next) {
  const chat = scripted([text("A"), end("stop")], [text("B"), end("stop")], ...next);
  const conversation = new Conversation(chat);
  await conversation.ask("1", []);
  await conversation.ask("2", [picture("b")]);
  return conversation;
}

const BUSY = new ApiError({ code: "server_busy" });

describe("what a new answer is to take the place of", () => {
  it("comes back where regenerating fails before its first words, and says why", async () => {
    const conversation = await talked([BUSY]);
    const [first, second] = conversation.turns;
    assert.equal(await conversation.regenerate(first), BUSY);
    assert.deepEqual(conversation.turns, [first, second]);
    assert.deepEqual([first.answer.text, first.answer.state], ["A", "done"]);
    assert.deepEqual(first.answer.trouble, { question: "1", error: BUSY });
  });

  it("comes back where an edited question fails, which is tried again as it was edited", async () => {
    const conversation = await talked([BUSY], [text("C"), end("stop")]);
    const [first, second] = conversation.turns;
    await conversation.edit(first, "1, better");
    assert.deepEqual(conversation.turns, [first, second]);
    assert.deepEqual(first.answer.trouble, { question: "1, better", error: BUSY });
    await conversation.retry(first);
    assert.deepEqual(conversation.turns.map(({ question, answer }) => [question, answer.text]), [["1, better", "C"]]);
  });

  it("is kept until the first words, and no longer", async () => {
    const conversation = await talked([text("C"), new ApiError({ code: "cut" })]);
    const [first, second] = conversation.turns;
    const kept = [];
    conversation.addEventListener("change", () => kept.push(conversation.kept.includes(second)));
    await conversation.edit(first, "1, better");
    assert.deepEqual([kept[0], kept.at(-1)], [true, false]);
    assert.deepEqual(conversation.turns.map(({ answer }) => [answer.text, answer.state]), [["C", "failed"]]);
    assert.equal(conversation.hasSent("b"), false);
  });

  it("comes back without a word where its reader stops", async () => {
    const conversation = await talked();
    const [first, second] = conversation.turns;
    const regenerating = conversation.regenerate(second);
    conversation.stop();
    await regenerating;
    assert.deepEqual(conversation.turns, [first, second]);
    assert.deepEqual([second.answer.text, second.answer.trouble], ["B", null]);
  });

  it("is nothing where it had failed itself: the new failure stands in its place", async () => {
    const conversation = new Conversation(scripted([BUSY], [new ApiError({ code: "cut" })]));
    await conversation.ask("1", []);
    await conversation.retry(conversation.turns[0]);
    const { error, trouble } = conversation.turns[0].answer;
    assert.deepEqual([error.code, trouble], ["cut", null]);
  });
});

describe("what is sent", () => {
  it("is every turn with its own pictures before its text, and asks for a stream with its usage", async () => {
    const chat = scripted([text("A CT."), end("stop")], [text("Yes."), end("stop")]);
    const conversation = new Conversation(chat);
    conversation.model = "served";
    await conversation.ask("What?", [picture("a")]);
    await conversation.ask("Sure?", []);
    assert.deepEqual(chat.asked[1], {
      model: "served",
      messages: [
        { role: "user", content: [picture("a").part, { type: "text", text: "What?" }] },
        { role: "assistant", content: "A CT." },
        { role: "user", content: [{ type: "text", text: "Sure?" }] },
      ],
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it("leaves out what failed, and holds what was cut or stopped as far as it was said", async () => {
    const broken = [text("A"), new ApiError({ code: "cut" })];
    const chat = scripted(broken, [text("B"), end("length")], [text("C"), end("stop")]);
    const conversation = new Conversation(chat);
    for (const question of ["1", "2", "3"]) await conversation.ask(question, []);
    const said = chat.asked[2].messages.map(({ content }) => (typeof content === "string" ? content : content[0].text));
    assert.deepEqual(said, ["2", "B", "3"]);
    assert.deepEqual(conversation.standing.map(({ question }) => question), ["2", "3"]);
  });

  it("can be had with a question that is not asked yet", async () => {
    const conversation = new Conversation(scripted([text("A"), end("stop")]));
    await conversation.ask("1", []);
    const messages = conversation.messages({ question: "2", pictures: [{ part: "P" }] });
    assert.deepEqual(messages.map(({ role }) => role), ["user", "assistant", "user"]);
    assert.deepEqual(messages[2].content, ["P", { type: "text", text: "2" }]);
  });

  it("tells which views the model has: not those of a turn that failed or was dropped", async () => {
    const conversation = new Conversation(scripted([text("A"), end("stop")], [new ApiError({ code: "server_busy" })]));
    await conversation.ask("1", [picture("a")]);
    await conversation.ask("2", [picture("b")]);
    assert.deepEqual(["a", "b"].map((key) => conversation.hasSent(key)), [true, false]);
    conversation.drop(conversation.turns[0]);
    assert.equal(conversation.hasSent("a"), false);
  });
});

describe("a turn", () => {
  it("that is edited is asked anew with its pictures, and what followed it goes", async () => {
    const chat = scripted([text("A"), end("stop")], [text("B"), end("stop")], [text("C"), end("stop")]);
    const conversation = new Conversation(chat);
    await conversation.ask("1", [picture("a")]);
    await conversation.ask("2", []);
    await conversation.edit(conversation.turns[0], "1, better");
    assert.deepEqual(conversation.turns.map(({ question }) => question), ["1, better"]);
    assert.equal(conversation.turns[0].pictures[0].key, "a");
    assert.equal(chat.asked[2].messages.length, 1);
  });

  it("that is edited while its answer comes ends that answer, which changes nothing any more", async () => {
    const first = endless("Old");
    const second = scripted([text("New"), end("stop")]);
    const chats = [first, second];
    const conversation = new Conversation({ chat: (body, signal) => chats.shift().chat(body, signal) });
    const asking = conversation.ask("1", []);
    await begun(conversation);
    await conversation.edit(conversation.turns[0], "2");
    await asking;
    assert.deepEqual(conversation.turns.map(({ answer }) => [answer.text, answer.state]), [["New", "done"]]);
  });

  it("is answered again, or tried again, in its place", async () => {
    const conversation = new Conversation(
      scripted([new ApiError({ code: "unreachable" })], [text("A"), end("stop")], [text("B"), end("stop")]),
    );
    await conversation.ask("1", []);
    const [turn] = conversation.turns;
    await conversation.retry(turn);
    assert.deepEqual([turn.answer.text, turn.answer.error], ["A", null]);
    await conversation.regenerate(turn);
    assert.deepEqual(conversation.turns.map(({ id, answer }) => [id, answer.text]), [[turn.id, "B"]]);
  });

  it("is not dropped while its answer is on its way", async () => {
    const conversation = new Conversation(endless("A"));
    const asking = conversation.ask("1", []);
    await begun(conversation);
    conversation.drop(conversation.turns[0]);
    assert.equal(conversation.turns.length, 1);
    assert.equal(isOnItsWay(conversation.turns[0].answer), true);
    conversation.clear();
    await asking;
    assert.deepEqual([conversation.turns.length, conversation.busy], [0, false]);
  });
});

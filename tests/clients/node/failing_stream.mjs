// A stream that fails in the middle: what came, and what was thrown.
import { client, model, print, question } from "./client.mjs";

let text = "";
let thrown = null;
try {
  for await (const chunk of await client().chat.completions.create({ model, messages: question, stream: true })) {
    text += chunk.choices[0]?.delta.content ?? "";
  }
} catch (error) {
  thrown = { class: error.constructor.name, code: error.code };
}
print({ text, thrown });

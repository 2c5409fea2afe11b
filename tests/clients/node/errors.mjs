// The class and fields of failures that a client meets.
import { client, model, print, question } from "./client.mjs";

const caught = async (ask) => {
  try {
    await ask();
  } catch (error) {
    const { status, code, param, type } = error;
    return { class: error.constructor.name, status, code, param, type };
  }
  return null;
};
const create = (fields, options) => client(options).chat.completions.create({ model, messages: question, ...fields });
const tool = { type: "function", function: { name: "look_up", parameters: { type: "object" } } };

print({
  field: await caught(() => create({ temperature: 3 })),
  tools: await caught(() => create({ tools: [tool] })),
  model: await caught(() => create({ model: "gpt-5" })),
  key: await caught(() => create({}, { apiKey: "hgv-nobody" })),
});

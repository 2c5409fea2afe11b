// A question, what it took, and the model under its name.
import { client, model, print, question } from "./client.mjs";

const answer = await client().chat.completions.create({ model, messages: question });
const models = [];
for await (const one of client().models.list()) models.push(one.id);
print({
  text: answer.choices[0].message.content,
  finishReason: answer.choices[0].finish_reason,
  usage: answer.usage,
  requestId: answer._request_id,
  models,
  retrieved: (await client().models.retrieve(model)).id,
});

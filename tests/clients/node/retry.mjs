// A key that may have one request at once has two: the second is refused, and asked again by the package itself.
import { client, model, print, question } from "./client.mjs";

const first = await client().chat.completions.create({ model, messages: question, stream: true });
const statuses = [];
const watched = async (url, init) => {
  const response = await fetch(url, init);
  statuses.push(response.status);
  if (response.status === 429) first.controller.abort();
  return response;
};
const begun = performance.now();
const second = await client({ maxRetries: 2, fetch: watched }).chat.completions.create({ model, messages: question });
print({ statuses, seconds: (performance.now() - begun) / 1000, text: second.choices[0].message.content });

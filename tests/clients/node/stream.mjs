// A stream read by hand, with n, log-probabilities and the usage; one read by the package's own reader; one left early.
import { client, model, print, question } from "./client.mjs";

const openai = client();
const byHand = await openai.chat.completions.create({
  model,
  messages: question,
  n: 2,
  logprobs: true,
  top_logprobs: 2,
  stream: true,
  stream_options: { include_usage: true },
});
const texts = ["", ""];
const bytes = [[], []];
let usage = null;
for await (const chunk of byHand) {
  usage = chunk.usage ?? usage;
  for (const choice of chunk.choices) {
    texts[choice.index] += choice.delta.content ?? "";
    for (const entry of choice.logprobs?.content ?? []) bytes[choice.index].push(...entry.bytes);
  }
}
const reader = openai.chat.completions.stream({ model, messages: question });
let pieces = 0;
reader.on("content", () => (pieces += 1));
const whole = await reader.finalChatCompletion();

const leftEarly = await openai.chat.completions.create({ model, messages: question, stream: true });
for await (const chunk of leftEarly) if (chunk.choices[0].delta.content) break;

print({
  texts,
  fromBytes: bytes.map((one) => Buffer.from(one).toString()),
  usage,
  pieces,
  whole: whole.choices[0].message.content,
});

// The Responses API: whole, about a picture, and in events.
import { client, model, pictureUrl, print } from "./client.mjs";

const openai = client();
const whole = await openai.responses.create({ model, input: "What is this?", instructions: "Be brief." });
const content = [
  { type: "input_image", image_url: pictureUrl, detail: "auto" },
  { type: "input_text", text: "What is this?" },
];
const picture = await openai.responses.create({ model, input: [{ role: "user", content }] });
const events = [];
let text = "";
for await (const event of await openai.responses.create({ model, input: "What is this?", stream: true })) {
  events.push(event.type);
  if (event.type === "response.output_text.delta") text += event.delta;
}
const read = await openai.responses.stream({ model, input: "What is this?" }).finalResponse();
print({
  whole: whole.output_text,
  picture: picture.output_text,
  inputTokens: picture.usage.input_tokens,
  streamed: text,
  first: events[0],
  last: events.at(-1),
  read: read.output_text,
});

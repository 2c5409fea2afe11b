// A zod schema goes out as JSON schema, and the answer comes back as a value; so does a schema written by hand.
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { client, model, print, question } from "./client.mjs";

const Finding = z.object({ modality: z.string(), fracture: z.boolean(), bones: z.array(z.string()) });
const openai = client();
const parsed = await openai.chat.completions.parse({
  model,
  messages: question,
  response_format: zodResponseFormat(Finding, "finding"),
});
const streamed = await openai.chat.completions
  .stream({ model, messages: question, response_format: zodResponseFormat(Finding, "finding") })
  .finalChatCompletion();
const schema = {
  type: "object",
  properties: { modality: { type: "string", enum: ["x-ray", "CT"] } },
  required: ["modality"],
  additionalProperties: false,
};
const byHand = await openai.chat.completions.create({
  model,
  messages: question,
  response_format: { type: "json_schema", json_schema: { name: "finding", strict: true, schema } },
});
const response = await openai.responses.parse({
  model,
  input: "What is this?",
  text: { format: zodTextFormat(Finding, "finding") },
});
print({
  parsed: parsed.choices[0].message.parsed,
  streamed: streamed.choices[0].message.parsed,
  byHand: JSON.parse(byHand.choices[0].message.content),
  response: response.output_parsed,
});

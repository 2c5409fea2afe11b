// A question about a picture in the message, and about the same picture uploaded.
// Node 18 has no global File: the package then asks for this one.
import { File } from "node:buffer";
import { toFile } from "openai";
import { aboutAPicture, client, model, pictureUrl, print } from "./client.mjs";

globalThis.File ??= File;

const openai = client();
const inline = await openai.chat.completions.create({ model, messages: aboutAPicture });
const bytes = Buffer.from(pictureUrl.split(",")[1], "base64");
const uploaded = await openai.files.create({ file: await toFile(bytes, "film.png"), purpose: "vision" });
const messages = [{ role: "user", content: [{ type: "file", file: { file_id: uploaded.id } }] }];
const byId = await openai.chat.completions.create({ model, messages });
const deleted = await openai.files.delete(uploaded.id);
print({
  texts: [inline, byId].map((answer) => answer.choices[0].message.content),
  promptTokens: [inline, byId].map((answer) => answer.usage.prompt_tokens),
  formats: [inline, byId].map((answer) => answer.images.map((image) => image.format)),
  deleted: deleted.deleted,
});

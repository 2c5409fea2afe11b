// Every script here is told where the server is and which key to use, asks it through OpenAI's package, and prints
// what came as one line of JSON.
import OpenAI from "openai";

export const [baseURL, apiKey, model, pictureUrl] = process.argv.slice(2);

export const client = (options = {}) => new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 30_000, ...options });

export const question = [{ role: "user", content: "What is this?" }];

export const aboutAPicture = [
  {
    role: "user",
    content: [
      { type: "image_url", image_url: { url: pictureUrl, detail: "auto" } },
      { type: "text", text: "What is this?" },
    ],
  },
];

export const print = (value) => console.log(JSON.stringify(value));

/** A server on this machine's loopback that answers as it is told, and remembers what it was asked. */

import { createServer } from "node:http";

/**
 * @param {(request: {method: string, url: string, headers: object, body: Buffer},
 *   response: import("node:http").ServerResponse) => void} answer
 */
export async function answering(answer) {
  const asked = [];
  const server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const { method, url, headers } = request;
    asked.push({ method, url, headers, body: Buffer.concat(pieces) });
    answer(asked.at(-1), response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    asked,
    base: `http://127.0.0.1:${server.address().port}/`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Answers everything with one JSON document. */
export function withJson(value, status = 200, headers = {}) {
  return (_, response) => {
    response.writeHead(status, { "Content-Type": "application/json", ...headers });
    response.end(JSON.stringify(value));
  };
}

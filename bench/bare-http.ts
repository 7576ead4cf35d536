import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** The minimum of a JSON service on node:http: reads the body, parses it, answers an object. The argument is the answer's JSON text. */
const answer: unknown = JSON.parse(process.argv[2] ?? "{}");

// Connections wait for their turn; the default of 5 s would close them.
const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    JSON.parse(Buffer.concat(chunks).toString());
    const text = JSON.stringify(answer);
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
    response.end(text);
  });
});
server.listen(0, "127.0.0.1", () => console.info(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`));
process.on("SIGTERM", () => process.exit(0));

import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";

/**
 * The minimum of a unary gRPC service on node:http2: reads the frame, sends a message of the size given as the argument, or
 * with these bytes in base64url, and the trailers.
 */
const argument = process.argv[2] ?? "0";
const content = /^\d+$/.test(argument) ? Buffer.alloc(Number(argument)) : Buffer.from(argument, "base64url");
const message = Buffer.concat([Buffer.alloc(5), content]);
message.writeUInt32BE(content.length, 1);

const server = createServer();
server.on("stream", (stream) => {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("end", () => {
    if (Buffer.concat(chunks).readUInt32BE(1) === 0) stream.close();
    stream.respond({ ":status": 200, "content-type": "application/grpc+proto" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(message);
  });
});
server.listen(0, "127.0.0.1", () => console.info(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`));
process.on("SIGTERM", () => process.exit(0));

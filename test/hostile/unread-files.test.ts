import { writeFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { connect, type TLSSocket } from "node:tls";
import { expect, test } from "vitest";
import { selfSigned } from "../support/certificates.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { startTarget } from "./beside-customer.ts";
import { flags, frame, frameTypes, headerBlock, preface } from "./http2-wire.ts";
import { anonymousMiB } from "./observe.ts";

const path = "/docs/swagger-ui-bundle.js";
const connections = 8;
const streams = 50;

/** Windows that let the server send everything, to a client that reads nothing. */
const maxWindow = Buffer.from([0x7f, 0xff, 0xff, 0xff]);
const moreForConnection = Buffer.from([0x7f, 0xff, 0, 0]);

function requestsForFile(): Buffer {
  const block = headerBlock([
    [":method", "GET"],
    [":scheme", "https"],
    [":path", path],
    [":authority", "localhost"],
  ]);
  return Buffer.concat([
    preface,
    frame(frameTypes.settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), maxWindow])),
    frame(frameTypes.windowUpdate, 0, 0, moreForConnection),
    ...Array.from({ length: streams }, (_, index) => frame(frameTypes.headers, flags.endHeaders | flags.endStream, 2 * index + 1, block)),
  ]);
}

/** Opens a connection that never reads. */
function attack(port: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", ALPNProtocols: ["h2"], rejectUnauthorized: false }, () => {
      socket.pause();
      socket.write(requestsForFile(), () => resolve(socket));
    });
    socket.on("error", reject);
  });
}

/** Reads the file as an honest client does. Returns its length. */
async function read(url: string): Promise<number> {
  const session = connectHttp2(url, { rejectUnauthorized: false });
  try {
    return Buffer.concat(await session.request({ ":path": path }).toArray()).length;
  } finally {
    session.close();
  }
}

test("400 requests over TLS for the largest public file, whose responses nobody reads, use little memory", {
  timeout: 120_000,
}, async () => {
  await using folder = await temporaryFolder();
  const { cert, key } = selfSigned("localhost");
  const env = { KEYWRIGHT_TLS_CERT_FILE: `${folder.path}/cert.pem`, KEYWRIGHT_TLS_KEY_FILE: `${folder.path}/key.pem` };
  await writeFile(env.KEYWRIGHT_TLS_CERT_FILE, cert);
  await writeFile(env.KEYWRIGHT_TLS_KEY_FILE, key, { mode: 0o600 });
  await using server = await startTarget({ env });
  const length = await read(server.url);
  const beforeMiB = await anonymousMiB(server.pid);
  const sockets = await Promise.all(Array.from({ length: connections }, () => attack(server.port)));
  // Each is answered after the requests before it.
  const lengths: number[] = [];
  let peakMiB = 0;
  for (let count = 0; count < 6; count += 1) {
    lengths.push(await read(server.url));
    peakMiB = Math.max(peakMiB, await anonymousMiB(server.pid));
  }
  for (const socket of sockets) socket.destroy();
  console.info(`${connections * streams} unread files: memory ${beforeMiB.toFixed(0)} to ${peakMiB.toFixed(0)} MiB`);
  expect(new Set(lengths)).toEqual(new Set([length]));
  expect(peakMiB - beforeMiB).toBeLessThan(100);
});

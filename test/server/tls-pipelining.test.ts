import { connect as connectTcp, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { expect, it } from "vitest";
import { createListener, type Listener } from "../../src/server/listener.ts";
import { selfSigned } from "../support/certificates.ts";
import { quickLimits, until } from "./support.ts";

/** More than the buffers of the system hold. */
const large = Buffer.alloc(16 * 1024 * 1024, "a");
const getLarge = "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n";
const postSmall = "POST /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n";

interface SmallServer extends AsyncDisposable {
  readonly listener: Listener;
  readonly port: number;
  readonly cert: Buffer;
  readonly handled: string[];
}

async function serveTls(): Promise<SmallServer> {
  const tls = selfSigned("localhost");
  const handled: string[] = [];
  const listener = createListener({
    handler(message, response) {
      message.resume();
      message.on("end", () => {
        handled.push(message.url as string);
        response.end(message.url === "/large" ? large : "small");
      });
    },
    limits: { ...quickLimits, requestTimeoutMs: 30_000, responseTimeoutMs: 30_000 },
    tls,
  });
  const { port } = await listener.listen("127.0.0.1", 0);
  return { listener, port, cert: tls.cert, handled, [Symbol.asyncDispose]: () => listener.drain(0) };
}

/** A TLS client whose records can be held back and sent together. */
interface RecordClient {
  readonly tls: TLSSocket;
  readonly tcp: Socket;
  /** Sends everything that TLS writes during `write` in one piece. */
  together(write: () => void, recordCount: number): Promise<void>;
}

function connectByRecords({ port, cert }: SmallServer): RecordClient {
  const tcp = connectTcp({ host: "127.0.0.1", port });
  let held: Buffer[] | undefined;
  const transport = new Duplex({
    read: () => void tcp.resume(),
    write(chunk: Buffer, _encoding, done) {
      if (held === undefined) tcp.write(chunk);
      else held.push(chunk);
      done();
    },
  });
  tcp.on("data", (chunk: Buffer) => {
    if (!transport.push(chunk)) tcp.pause();
  });
  tcp.on("error", () => {}).on("close", () => transport.destroy());
  const tls = connectTls({ socket: transport, ca: cert, servername: "localhost" }).on("error", () => {});
  return {
    tls,
    tcp,
    async together(write, recordCount) {
      const records: Buffer[] = [];
      held = records;
      write();
      await until(() => records.length >= recordCount);
      tcp.write(Buffer.concat(records));
      held = undefined;
    },
  };
}

it("accepts a request whose head and body TLS decrypts at once while a large response waits for its reader", async () => {
  await using server = await serveTls();
  const client = connectByRecords(server);
  client.tls.write(getLarge);
  // The client does not read, so most of the response stays with the server.
  await until(() => server.handled.length === 1);
  await client.together(() => {
    client.tls.write(postSmall);
    client.tls.write("body");
  }, 2);

  let tail = "";
  let isClosed = false;
  client.tls.setEncoding("latin1").on("data", (chunk: string) => {
    tail = (tail + chunk).slice(-1000);
  });
  client.tls.on("close", () => {
    isClosed = true;
  });
  await until(() => tail.endsWith("small") || isClosed, 30_000);
  expect(tail.slice(-5)).toBe("small");
  expect(server.handled).toEqual(["/large", "/small"]);
  client.tls.destroy();
  client.tcp.destroy();
});

import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";

/** Address of the attackers; the customer's is 127.0.0.1. */
export const attackerAddress = "127.0.0.2";

/** Opens connections that send `bytes` and nothing more, some hundred at a time. Resolves when each is open or refused. */
export async function openConnections(port: number, count: number, localAddress: string, bytes: string): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const batch = Array.from({ length: Math.min(200, count - sockets.length) }, () => connect({ port, host: "127.0.0.1", localAddress }));
    sockets.push(...batch);
    await Promise.all(batch.map((socket) => opened(socket, bytes)));
  }
  return sockets;
}

function opened(socket: Socket, bytes: string): Promise<void> {
  return new Promise((resolve) => {
    socket.on("connect", () => {
      if (bytes !== "") socket.write(bytes);
      resolve();
    });
    socket.on("error", () => resolve()).on("close", () => resolve());
    socket.resume();
  });
}

/** Opens an HTTP/2 session from an address of this machine. */
export function openSession(port: number, localAddress: string): ClientHttp2Session {
  const createConnection = () => connect({ port, host: "127.0.0.1", localAddress });
  return connectHttp2(`http://127.0.0.1:${port}`, { createConnection }).on("error", () => {});
}

/**
 * Opens streams that get `body` and, unless `isEnded`, no end. Resolves when each was answered or ended, with the number of responses that
 * continue.
 */
export async function openStreams(
  session: ClientHttp2Session,
  count: number,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
  isEnded: boolean,
): Promise<number> {
  let open = 0;
  await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<void>((resolve) => {
          if (session.closed || session.destroyed) return resolve();
          const stream = session.request({ ":method": "POST", te: "trailers", ...headers });
          stream.on("response", (answer) => {
            if (answer["grpc-status"] === undefined) open += 1;
          });
          stream
            .on("data", () => resolve())
            .on("close", () => resolve())
            .on("error", () => resolve());
          if (isEnded) stream.end(body);
          else stream.write(body, () => resolve());
        }),
    ),
  );
  return open;
}

/** Sends a GET from the given address on a new connection. Returns the HTTP status, or 0 if there was no response within two seconds. */
export function probe(port: number, path: string, localAddress: string): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", localAddress }, () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    });
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
    });
    socket.setTimeout(2_000, () => socket.destroy());
    socket.on("error", () => {}).on("close", () => resolve(Number(text.split(" ", 2)[1] ?? 0)));
  });
}

import { connect } from "node:net";
import { flags, frame, frameReader, frameTypes, type Http2Frame, headerBlock, preface } from "../hostile/http2-wire.ts";
import type { ServerProcess } from "../support/server-process.ts";
import { issuePath, type Load, loop } from "./drain-load.ts";

export interface Http2Load extends Load {
  /** The last stream id of each GOAWAY. */
  readonly goaways: number[];
  /** The highest id of a stream that was opened. */
  lastStreamId(): number;
}

/**
 * JSON/HTTP over one HTTP/2 connection. Opens streams until it reads a GOAWAY, and each must be answered.
 *
 * It writes its frames itself. Node's client resets streams that it has queued and not sent when it reads a GOAWAY. The test could not tell
 * them from streams that the server did not answer.
 */
export function http2Load({ port, adminToken }: ServerProcess, streams: number): Http2Load {
  const goaways: number[] = [];
  const open = new Map<number, (response: string | undefined) => void>();
  const bodies = new Map<number, string>();
  let lastStreamId = -1;
  const socket = connect({ port, host: "127.0.0.1", noDelay: true }).on("error", () => {});
  const end = (streamId: number, response?: string) => {
    open.get(streamId)?.(response);
    open.delete(streamId);
  };
  const onFrame = ({ type, flag, streamId, payload }: Http2Frame): true => {
    if (type === frameTypes.goaway) goaways.push(payload.readUInt32BE(0));
    else if (type === frameTypes.reset) end(streamId);
    else if (type === frameTypes.ping || type === frameTypes.settings) {
      if (flag !== flags.ack) socket.write(frame(type, flags.ack, 0, type === frameTypes.ping ? payload : undefined));
    } else if (type === frameTypes.data || type === frameTypes.headers) {
      if (type === frameTypes.data) bodies.set(streamId, `${bodies.get(streamId) ?? ""}${payload}`);
      if ((flag & flags.endStream) !== 0) end(streamId, bodies.get(streamId) ?? "");
    }
    return true;
  };
  socket.on("data", frameReader(onFrame));
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  void closed.then(() => {
    for (const streamId of open.keys()) end(streamId);
  });
  socket.write(
    Buffer.concat([preface, frame(frameTypes.settings, 0, 0), frame(frameTypes.windowUpdate, 0, 0, Buffer.from([0x7f, 0, 0, 0]))]),
  );
  const pseudoHeaders = { ":method": "POST", ":scheme": "http", ":path": issuePath, ":authority": `127.0.0.1:${port}` };
  const headers = { ...pseudoHeaders, authorization: `Bearer ${adminToken}`, "content-type": "application/json" };
  const block = headerBlock(Object.entries(headers));
  const issue = (actorId: string) =>
    new Promise<string | undefined>((resolve) => {
      lastStreamId += 2;
      open.set(lastStreamId, resolve);
      const body = Buffer.from(JSON.stringify({ actor_id: actorId }));
      const head = frame(frameTypes.headers, flags.endHeaders, lastStreamId, block);
      socket.write(Buffer.concat([head, frame(frameTypes.data, flags.endStream, lastStreamId, body)]));
    });
  const step = async (actorId: string) => {
    if (goaways.length > 0 || socket.closed) return "stop";
    const response = await issue(actorId);
    if (response === undefined) return "unanswered";
    return response.includes('"secret"') ? "acknowledged" : "refused";
  };
  // The server closes.
  const load = loop(streams, "http2", step, () => closed);
  return { ...load, goaways, lastStreamId: () => lastStreamId };
}

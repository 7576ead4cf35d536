import { Socket } from "node:net";

/*
 * Loaded into a server process before its main file (`node --import`). Connections to some ports of this machine go to others, by the table
 * in TEST_DETOURS, `{"<port>": <port>}`. The members of a MongoDB replica set tell clients their addresses, so a proxy for only one server
 * process cannot be named in the URI.
 */
const detours = JSON.parse(process.env.TEST_DETOURS ?? "{}") as Record<string, number>;
type Connect = (this: Socket, ...args: unknown[]) => Socket;
const direct = Socket.prototype.connect as Connect;

const detoured: Connect = function (...args) {
  // `net.connect` passes its arguments as one array, options first.
  const options = (Array.isArray(args[0]) ? args[0][0] : args[0]) as { port?: number | string } | undefined;
  const port = typeof options === "object" ? detours[String(options.port)] : undefined;
  if (options !== undefined && port !== undefined) options.port = port;
  return direct.apply(this, args);
};
Socket.prototype.connect = detoured as typeof Socket.prototype.connect;

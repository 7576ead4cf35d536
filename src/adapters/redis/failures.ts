import { ReplyError } from "ioredis";

/** A server that cannot be used. Its message holds no secret. */
export class UnusableServerError extends Error {}

/** Replies that mean that the server is not, or no longer, the one to use. */
const endings = new Set(["LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "MOVED", "NOAUTH"]);

/** Returns whether only this command failed and the connection is still usable: out of memory, not permitted, slot in progress. */
export function concernsOneCommand(error: unknown): boolean {
  return error instanceof ReplyError && !endings.has(replyCode(error));
}

/**
 * Describes an error in a few words for a log. Never use the error itself: ioredis adds the command with its arguments to it, including
 * passwords.
 */
export function describeError(error: unknown): string {
  if (error instanceof UnusableServerError) return error.message;
  if (error instanceof ReplyError) return `Redis answered ${replyCode(error)}`;
  const { code, name, message } = error as { code?: unknown; name?: unknown; message?: unknown };
  // The text of ioredis for commands that were waiting.
  if (message === "Connection is closed.") return "a connection was closed";
  return typeof code === "string" ? code : String(name);
}

function replyCode(error: unknown): string {
  return /^[A-Z]+/.exec((error as Error).message)?.[0] ?? "ERR";
}

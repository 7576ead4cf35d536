import { ReplyError } from "ioredis";

/** A server that cannot be used. Its message holds no secret. */
export class UnusableServerError extends Error {}

/** Replies after which the connection leads to a server that is not, or no longer, the one to talk to. */
const endings = new Set(["LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "MOVED", "NOAUTH"]);

/** Whether only this command went wrong, and the connection may be used on: out of memory, not permitted, slot in progress. */
export function concernsOneCommand(error: unknown): boolean {
  return error instanceof ReplyError && !endings.has(replyCode(error));
}

/** Says what went wrong in a word or two for a log. Never the error itself: ioredis puts the command with its arguments into it, passwords as well. */
export function describeError(error: unknown): string {
  if (error instanceof UnusableServerError) return error.message;
  if (error instanceof ReplyError) return `Redis answered ${replyCode(error)}`;
  const { code, name } = error as { code?: unknown; name?: unknown };
  return typeof code === "string" ? code : String(name);
}

function replyCode(error: unknown): string {
  return /^[A-Z]+/.exec((error as Error).message)?.[0] ?? "ERR";
}

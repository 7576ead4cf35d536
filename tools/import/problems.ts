/** An error that needs another command line, header or state file. Nothing was sent. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Why an import ended before its input did. What was imported remains, and the same command continues from there. */
export class StoppedError extends Error {
  override readonly name = "StoppedError";
}

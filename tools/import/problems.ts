/** Nothing was sent, and nothing will be until the command line, the header or the state file is another. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Why an import ended before its input did. What was imported stays, and the same command goes on from there. */
export class StoppedError extends Error {
  override readonly name = "StoppedError";
}

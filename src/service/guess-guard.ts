/** Limits the guesses of one client. Credentials with a valid tag or signature are not counted. */
export interface GuessGuard {
  /** Throws TOO_MANY_CALLS if the client guessed too often. Call it before and after the look-up, like `Limits.refuseGuesser`. */
  admit(): void;
  count(): void;
}

/** Bounds the guesses of one client. A credential with a genuine tag or signature passes it by. */
export interface GuessGuard {
  /** Throws TOO_MANY_CALLS if the client guessed too often. Call before the look-up, which guessers are not to cause. */
  admit(): void;
  count(): void;
}

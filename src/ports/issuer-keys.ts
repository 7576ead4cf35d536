/** The public keys of an issuer, as they were last fetched. */
export interface IssuerKeySet {
  /** The JSON of a JWK Set (RFC 7517). */
  readonly keys: readonly object[];
  /** Key ids that are in the set. */
  readonly kids: ReadonlySet<string>;
}

/** Fetches the keys of one issuer, and keeps the last ones while the issuer does not answer. */
export interface IssuerKeys {
  /**
   * Returns the known keys. If they are old, starts a fetch in the background. Null before the first fetch, and if there was none for so
   * long, because nobody asked, that the issuer may have removed a key since: `fetchNewer` then returns the known keys if the issuer does
   * not answer.
   */
  current(): IssuerKeySet | null;
  /**
   * Returns the keys of a fetch that started later than the last one. At most one fetch runs at a time, and fetches start at least a fixed
   * interval apart, whoever asks. Rejects if the issuer did not answer, and at once if too many callers are waiting.
   */
  fetchNewer(): Promise<IssuerKeySet>;
  /**
   * The same for a token that names no key, which anybody can make: returns the known keys, the same object, if their fetch started within
   * that interval. Joins a fetch that is running. Keys that did not change are the same object too.
   */
  fetchUnlessRecent(): Promise<IssuerKeySet>;
  /**
   * Starts a fetch in the background, unless one started within that interval. For a signature that is by none of the known keys: an issuer
   * may have replaced a key without a new key id.
   */
  refresh(): void;
}

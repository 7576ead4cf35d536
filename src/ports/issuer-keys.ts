/** The public keys of an issuer, as they were last fetched. */
export interface IssuerKeySet {
  /** The JSON of a JWK Set (RFC 7517). */
  readonly keys: readonly object[];
  /** Key ids that are in the set. */
  readonly kids: ReadonlySet<string>;
}

/** Fetches the keys of one issuer, and keeps the last ones while the issuer does not answer. */
export interface IssuerKeys {
  /** The keys that are known; null before the first fetch. Begins a fetch in the background if they are old. */
  current(): IssuerKeySet | null;
  /**
   * The keys after a fetch that began later than the last one. At most one fetch runs at a time, and they begin at least a fixed interval
   * apart, whoever asks. Null if too many wait already. Rejects if the issuer did not answer.
   */
  fetchNewer(): Promise<IssuerKeySet | null>;
}

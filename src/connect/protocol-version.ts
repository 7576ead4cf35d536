import { invalidField } from "../error/failure.ts";

/**
 * Throws INVALID_REQUEST for a version of the Connect protocol that is not served here. A request without a version is served, as in
 * connect-go: people who debug with curl need not send one.
 */
export function checkProtocolVersion(version: string | undefined): void {
  if (version !== undefined && version !== "" && version !== "1") throw invalidField("connect-protocol-version", "must be 1");
}

/** The same for the query of a GET. */
export function checkVersionParameter(version: string | null): void {
  if (version !== null && version !== "" && version !== "v1") throw invalidField("connect", "must be v1");
}

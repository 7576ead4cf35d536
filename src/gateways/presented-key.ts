import { Failure } from "../error/failure.ts";

/** The credential of an end user, and the header that contained it. */
export interface PresentedKey {
  readonly credential: string;
  readonly header: string;
}

/** Returns all lines of a header of the end user's request, joined by commas. Undefined if there is none. */
export type HeaderReader = (name: string) => string | undefined;

const bearer = /^bearer +([\x21-\x2b\x2d-\x7e]+) *$/i;
const bare = /^ *([\x21-\x2b\x2d-\x7e]+) *$/;

/**
 * Finds the credential of a request: in `header` if one is given, otherwise in Authorization (Bearer) or X-Api-Key. Returns a Failure if
 * there is none or more than one. Gateways treat two lines of a header differently: they join them with a comma, or keep the first. So a
 * comma is refused, and keys with commas, spaces or non-ASCII characters cannot pass.
 */
export function presentedKey(headerOf: HeaderReader, header: string | undefined): PresentedKey | Failure {
  if (header !== undefined) return keyIn(header, headerOf(header));
  const apiKey = headerOf("x-api-key");
  const authorization = headerOf("authorization");
  if (apiKey !== undefined && authorization !== undefined) return ambiguous();
  return apiKey === undefined ? keyIn("authorization", authorization) : keyIn("x-api-key", apiKey);
}

function keyIn(header: string, value: string | undefined): PresentedKey | Failure {
  if (value === undefined || value.trim() === "") return new Failure("CREDENTIAL_MISSING");
  if (value.includes(",")) return ambiguous();
  const credential = (header === "authorization" ? bearer : bare).exec(value)?.[1];
  if (credential !== undefined) return { credential, header };
  const wanted = header === "authorization" ? "Bearer and one credential" : "one credential";
  return new Failure("CREDENTIAL_INVALID", { message: `${header} must hold ${wanted}, in ASCII characters without spaces and commas` });
}

function ambiguous(): Failure {
  return new Failure("CREDENTIAL_INVALID", { message: "more than one credential, or one with a comma" });
}

import { type Credentials, isPresentedKey, kindOf, type PresentedCredential, type Refused } from "./credential.ts";
import type { Tokens } from "./token/tokens.ts";
import type { RefusalCode } from "./verdict.ts";

/** The parts that read credentials. */
export interface CredentialReaders {
  readonly credentials: Pick<Credentials, "parse" | "asImported">;
  readonly tokens: Pick<Tokens, "read" | "isForeign">;
}

/**
 * Reads a presented credential. Returns a refusal if no record could make it valid. Does no I/O.
 *
 * Keys of other systems can look like our tokens. So a token that this service did not make is read as an imported key. It is refused as
 * the token it looks like only if no such key is found.
 */
export function readCredential(
  { credentials, tokens }: CredentialReaders,
  tenant: string,
  text: string,
  nowMs: number,
): PresentedCredential | Refused {
  const parsed = credentials.parse(tenant, text, nowMs);
  if (isPresentedKey(parsed)) return parsed;
  const kind = kindOf(parsed);
  if (parsed.type !== "jwt" && parsed.type !== "macaroon") return { kind, code: codeWithoutLookUp[parsed.type] };
  const token = tokens.read(tenant, parsed.type, text, nowMs);
  if (typeof token !== "string") return token;
  const refused = { kind, code: token };
  // This checks the length first: imported keys are shorter than tokens may be.
  const imported = credentials.asImported(tenant, text, refused);
  return imported !== null && tokens.isForeign(parsed.type, text) ? imported : refused;
}

export function isRefused(answer: PresentedCredential | Refused): answer is Refused {
  return "code" in answer;
}

/**
 * Reports whether this may be a guess: it can be a credential, and it has no valid tag or signature of ours. Every imported key may be one
 * until it is looked up. A valid tag or signature cannot be guessed, so an issued key or a derived token is not a guess. Nor is a refused
 * credential that was made here, such as a token of another tenant.
 */
export function mayBeGuess(presented: PresentedCredential | Refused): boolean {
  if (!isRefused(presented)) return presented.type === "imported";
  return presented.kind === "issued" || presented.code === "signature_invalid";
}

/** The refusal of a credential for which no record is found. */
export function refusalWithoutRecord(presented: PresentedCredential): Refused {
  return (presented.type === "imported" ? presented.unlessImported : undefined) ?? { kind: presented.type, code: "not_found" };
}

const codeWithoutLookUp = { forged: "not_found", unreadable: "invalid_format" } as const satisfies Record<string, RefusalCode>;

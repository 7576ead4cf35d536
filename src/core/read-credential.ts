import { type Credentials, isPresentedKey, kindOf, type PresentedCredential, type Refused } from "./credential.ts";
import type { Tokens } from "./token/tokens.ts";
import type { RefusalCode } from "./verdict.ts";

/** What tells credentials apart. */
export interface CredentialReaders {
  readonly credentials: Pick<Credentials, "parse" | "asImported">;
  readonly tokens: Pick<Tokens, "read" | "isForeign">;
}

/**
 * What a parsed string claims to be, or its refusal where no record could change that. No I/O.
 *
 * Other systems have keys that look like our tokens. So a token that was not made here is a presented of an imported key; only if no such key is
 * found is it refused as the token that it looks like.
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
  // The length first: no imported key is as long as a token may be.
  const imported = credentials.asImported(tenant, text, refused);
  return imported !== null && tokens.isForeign(parsed.type, text) ? imported : refused;
}

export function isRefused(answer: PresentedCredential | Refused): answer is Refused {
  return "code" in answer;
}

/**
 * Whether this may turn out to be a guess: it can be a credential, and no tag or signature of ours vouches for it. Imported keys have to be
 * looked up before that is known, whatever they look like. An issued key has a tag and a derived token a signature, which nobody can guess; a
 * refused one that was made here, such as a token of another tenant, is no guess.
 */
export function mayBeGuess(presented: PresentedCredential | Refused): boolean {
  if (!isRefused(presented)) return presented.type === "imported";
  return presented.kind === "issued" || presented.code === "signature_invalid";
}

/** Why a presented is refused that no record fits. */
export function refusalWithoutRecord(presented: PresentedCredential): Refused {
  return (presented.type === "imported" ? presented.unlessImported : undefined) ?? { kind: presented.type, code: "not_found" };
}

const codeWithoutLookUp = { forged: "not_found", unreadable: "invalid_format" } as const satisfies Record<string, RefusalCode>;

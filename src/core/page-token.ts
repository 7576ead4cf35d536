import { createCipheriv, createDecipheriv } from "node:crypto";
import { invalidField } from "../error/failure.ts";
import type { AuditFilter } from "./audit-filter.ts";
import type { KeyKind } from "./key.ts";
import type { KeySelection } from "./key-filter.ts";
import { deriveSubkeys, isLive, type ServerSecrets } from "./subkeys.ts";

/** The list that a page token belongs to. Other lists refuse the token. */
export type ListScope =
  | { readonly tenant: string; readonly kind: KeyKind; readonly filter: KeySelection }
  | { readonly tenant: string; readonly kind: "audit_event"; readonly filter: AuditFilter };

export interface PageTokens {
  /** Makes the token of the page after the item with this id. */
  seal(scope: ListScope, id: string): string;
  /** The id in a token. Throws INVALID_REQUEST on `page_token` if the token was not made here or belongs to another list. */
  open(scope: ListScope, token: string, nowMs: number): string;
}

const ivLength = 12;
const authTagLength = 16;

/** Encrypts tokens (AES-256-GCM), so that clients cannot read or depend on their content (AIP-158). */
export function createPageTokens(secrets: ServerSecrets, randomBytes: (byteLength: number) => Uint8Array): PageTokens {
  const subkeys = deriveSubkeys(secrets, "page-token");
  return {
    seal(scope, id) {
      const iv = randomBytes(ivLength);
      const cipher = createCipheriv("aes-256-gcm", subkeys[0].key, iv).setAAD(contextOf(scope));
      return Buffer.concat([iv, cipher.update(id), cipher.final(), cipher.getAuthTag()]).toString("base64url");
    },
    open(scope, token, nowMs) {
      const bytes = Buffer.from(token, "base64url");
      if (bytes.length > ivLength + authTagLength) {
        for (const subkey of subkeys) {
          if (!isLive(subkey, nowMs)) continue;
          const decipher = createDecipheriv("aes-256-gcm", subkey.key, bytes.subarray(0, ivLength), { authTagLength })
            .setAAD(contextOf(scope))
            .setAuthTag(bytes.subarray(-authTagLength));
          try {
            return Buffer.concat([decipher.update(bytes.subarray(ivLength, -authTagLength)), decipher.final()]).toString();
          } catch {
            // The token may have been made with another subkey.
          }
        }
      }
      throw invalidField("page_token", "does not belong to this list; a page token is valid for one list with one filter");
    },
  };
}

function contextOf({ tenant, kind, filter }: ListScope): Buffer {
  return Buffer.from(JSON.stringify([tenant, kind, ...Object.entries(filter).sort()]));
}

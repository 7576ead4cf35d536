/** A message from one process to the others. */
export type Message =
  | { readonly kind: "change"; readonly tenant: string; readonly keyId: string; readonly revision: number }
  | { readonly kind: "beat"; readonly beatId: string };

/** `c <revision> <tenant, percent-encoded> <key id>` or `b <heartbeat id>`. */
export function encodeMessage(message: Message): string {
  if (message.kind === "beat") return `b ${message.beatId}`;
  return `c ${message.revision} ${encodeURIComponent(message.tenant.toWellFormed())} ${message.keyId}`;
}

/** Returns undefined for messages that no known release sends. */
export function decodeMessage(text: string): Message | undefined {
  if (text.startsWith("b ")) return { kind: "beat", beatId: text.slice(2) };
  const [, revision, tenant = "", keyId = ""] = /^c (\d{1,15}) (\S*) (.+)$/s.exec(text) ?? [];
  if (revision === undefined) return undefined;
  try {
    return { kind: "change", tenant: decodeURIComponent(tenant), keyId, revision: Number(revision) };
  } catch {
    return undefined;
  }
}

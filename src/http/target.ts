import type { HttpRequest } from "./message.ts";

/** A raw request target: nothing is decoded or normalised before a route matches. */
export interface RequestTarget {
  readonly path: string;
  /** Without the question mark; empty if there is none. */
  readonly query: string;
}

/**
 * Scheme and authority of a target in absolute form, which a server must accept although only proxies receive it (RFC 9112, section 3.2.2).
 */
const absoluteForm = /^https?:\/\/([^/?#]*)/i;

/** Splits the target of a request. Scheme and authority are left out. `*` of OPTIONS is a path. */
export function targetOf({ url = "/" }: Pick<HttpRequest, "url">): RequestTarget {
  const target = url.charCodeAt(0) === 0x2f /* / */ ? url : originForm(url);
  const queryAt = target.indexOf("?");
  return queryAt < 0 ? { path: target, query: "" } : { path: target.slice(0, queryAt), query: target.slice(queryAt + 1) };
}

/** Returns the authority of a target in absolute form. Undefined for other targets. */
export function targetAuthority({ url = "/" }: Pick<HttpRequest, "url">): string | undefined {
  return url.charCodeAt(0) === 0x2f /* / */ ? undefined : absoluteForm.exec(url)?.[1];
}

function originForm(url: string): string {
  const authority = absoluteForm.exec(url);
  if (authority === null) return url;
  const rest = url.slice(authority[0].length);
  return rest.startsWith("/") ? rest : `/${rest}`;
}

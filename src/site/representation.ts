import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

/** A resource for GET, in all its forms. */
export interface Representation {
  readonly contentType: string;
  readonly identity: Encoded;
  /** Undefined if compression saves nothing. */
  readonly gzip: Encoded | undefined;
  /** Further headers, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface Encoded {
  readonly bytes: Uint8Array;
  /** Strong, so it differs between encodings (RFC 9110, section 8.8.3). */
  readonly etag: string;
}

/** Smaller texts fit into one packet anyway. */
const minGzipBytes = 1024;
const compress = promisify(gzip);

export async function representationOf(
  bytes: Uint8Array,
  contentType: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Representation> {
  const digest = createHash("sha256").update(bytes).digest("base64url").slice(0, 22);
  const packed = bytes.length < minGzipBytes || contentType === "image/png" ? undefined : await compress(bytes);
  return {
    contentType,
    identity: { bytes, etag: `"${digest}"` },
    gzip: packed === undefined ? undefined : { bytes: packed, etag: `"${digest}-gzip"` },
    headers,
  };
}

import { open } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { systemReason } from "../../error/system-reason.ts";
import { type FetchLimits, fetchText } from "./https.ts";

/** Returns the text behind a `file://`, `https://` or `base64://` URI. Rejects with an Error that gives the reason and quotes nothing. */
export function readSource(uri: string, limits: FetchLimits): Promise<string> {
  if (uri.startsWith("base64://")) return Promise.resolve(Buffer.from(uri.slice("base64://".length), "base64").toString());
  return uri.startsWith("file://") ? readText(uri, limits.maxBytes) : fetchText(new URL(uri), limits);
}

/** Returns whether the text may change over time. */
export function canChange(uri: string): boolean {
  return !uri.startsWith("base64://");
}

/** Returns the host of a server to put before the reason of a failed read, without credentials. The reason of a file has its path. */
export function placeBefore(uri: string): string {
  return /^https?:/.test(uri) ? `${new URL(uri).host}: ` : "";
}

/** Returns whether a read that failed may succeed later without a change here. */
export function isRemote(uri: string): boolean {
  return uri.startsWith("https://");
}

async function readText(uri: string, maxBytes: number): Promise<string> {
  const path = fileURLToPath(uri);
  try {
    const handle = await open(path);
    try {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(maxBytes + 1), 0, maxBytes + 1, 0);
      if (bytesRead > maxBytes) throw new Error(`more than ${maxBytes} bytes`);
      return buffer.toString("utf8", 0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(`${path}: ${code === undefined ? message : systemReason(error)}`);
  }
}

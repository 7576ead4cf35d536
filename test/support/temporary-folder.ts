import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Makes a folder that is removed, with its content, at the end of the block (`using`) or by `remove`. */
export function temporaryFolder(): Disposable & { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "keywright-test-"));
  const remove = () => rmSync(path, { recursive: true, force: true });
  return { path, remove, [Symbol.dispose]: remove };
}

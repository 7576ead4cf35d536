import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Collection } from "mongodb";
import type { KeyDocument } from "../../src/adapters/mongo/document.ts";

interface Server {
  readonly port: number;
  readonly token: string;
}

function rowOf(index: number) {
  return {
    name: `key ${index}`,
    actorId: `user-${index % 1000}`,
    rawKey: `live_${index.toString(36).padStart(32, "0")}`,
    scopes: ["invoices:read", "invoices:write"],
    metadata: JSON.stringify({ team: "billing", stage: "production", number: index }),
  };
}

/** Writes the file to import, in CSV. */
export async function writeInput(path: string, keyCount: number): Promise<void> {
  const lines = function* () {
    yield "name,actor_id,raw_key,scopes,metadata\n";
    for (let index = 0; index < keyCount; index += 1) {
      const { name, actorId, rawKey, scopes, metadata } = rowOf(index);
      yield `${name},${actorId},${rawKey},${scopes.join(" ")},"${metadata.replaceAll('"', '""')}"\n`;
    }
  };
  await pipeline(Readable.from(lines()), createWriteStream(path));
}

/** The row of a key in the file. */
export function indexOf({ name }: Pick<KeyDocument, "name">): number {
  return Number(name.slice("key ".length));
}

/** Compares every key of the store with its row in the file, and verifies some. */
export async function checkEstate(imported: Collection<KeyDocument>, keyCount: number, server: Server): Promise<void> {
  const seen = new Uint8Array(keyCount);
  for await (const { name, actorId, scopes, metadata, kind, revision, visibility } of imported.find({}, { batchSize: 10_000 })) {
    const index = indexOf({ name });
    const row = rowOf(index);
    const isAsInFile = actorId === row.actorId && scopes.join() === row.scopes.join() && metadata === row.metadata;
    if (!isAsInFile || kind !== "imported" || revision !== 1 || visibility !== "secret") throw new Error(`${name} differs from the file`);
    seen[index] = (seen[index] ?? 0) + 1;
  }
  if (!seen.every((times) => times === 1)) throw new Error("not every key of the file exists exactly once");
  for (let index = 0; index < keyCount; index += Math.ceil(keyCount / 20)) {
    const headers = { authorization: `Bearer ${server.token}`, "content-type": "application/json" };
    const body = JSON.stringify({ credential: rowOf(index).rawKey });
    const response = await fetch(`http://127.0.0.1:${server.port}/v2alpha1/admin/apiKeys:verify`, { method: "POST", headers, body });
    const { is_valid, actor_id } = (await response.json()) as { is_valid: boolean; actor_id: string };
    if (!is_valid || actor_id !== rowOf(index).actorId) throw new Error(`${rowOf(index).name} does not verify`);
  }
  console.info(`  estate: each of the ${keyCount} keys of the file exists exactly once and equals its row`);
}

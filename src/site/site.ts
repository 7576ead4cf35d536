import { readFile } from "node:fs/promises";
import type { HttpHandler } from "../http/message.ts";
import { docsPaths } from "./docs/paths.ts";
import { representationOf } from "./representation.ts";
import { type Choose, serve } from "./serve.ts";

export interface SiteOptions {
  readonly version: string;
  /** Whether there is a page to read and try the API. */
  readonly docs: "on" | "off";
}

/** What the server says about itself, by path. It is public, and holds nothing of any tenant. What it needs is loaded when it is asked for. */
export function createSite({ version, docs }: SiteOptions): ReadonlyMap<string, HttpHandler> {
  const site = new Map([
    ["/", serve(async () => (await import("./start-page.ts")).startPage(version, docs === "on"))],
    ["/openapi.json", serve(openApiDocument)],
  ]);
  if (docs === "off") return site;
  for (const path of docsPaths)
    site.set(
      path,
      serve(async () => (await import("./docs/files.ts")).docsFile(path)),
    );
  return site;
}

async function openApiDocument(): Promise<Choose> {
  const document = await representationOf(await readFile(new URL("../../gen/openapi.json", import.meta.url)), "application/json");
  return () => document;
}

import { readFile } from "node:fs/promises";
import type { HttpHandler } from "../http/message.ts";
import { docsPaths } from "./docs/paths.ts";
import { representationOf } from "./representation.ts";
import { type Choose, serve } from "./serve.ts";

export interface SiteOptions {
  readonly version: string;
  /** Whether a page to read and try the API is served. */
  readonly docs: "on" | "off";
}

/** The server's description of itself, by path. It is public and contains nothing of any tenant. Its content is loaded on demand. */
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
  site.set("/docs/", (request, response) => {
    request.resume();
    // Relative, as the links of the page are.
    response.statusCode = 308;
    response.setHeader("location", "../docs");
    response.end();
  });
  return site;
}

async function openApiDocument(): Promise<Choose> {
  const document = await representationOf(await readFile(new URL("../../gen/openapi.json", import.meta.url)), "application/json");
  return () => document;
}

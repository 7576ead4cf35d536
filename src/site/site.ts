import { readFileSync } from "node:fs";
import type { HttpHandler } from "../http/message.ts";
import { type Representation, representationOf } from "./representation.ts";
import { serve } from "./serve.ts";
import { startPage } from "./start-page.ts";

export interface SiteOptions {
  readonly version: string;
}

/** What the server says about itself, by path. It is public, and holds nothing of any tenant. */
export function createSite({ version }: SiteOptions): ReadonlyMap<string, HttpHandler> {
  let document: Representation | undefined;
  return new Map([
    ["/", serve(startPage(version, false))],
    // Read when it is first asked for: most servers never are.
    ["/openapi.json", serve(() => (document ??= openApiDocument()))],
  ]);
}

function openApiDocument(): Representation {
  return representationOf(readFileSync(new URL("../../gen/openapi.json", import.meta.url)), "application/json");
}

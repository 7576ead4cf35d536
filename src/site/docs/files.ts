import { readFile } from "node:fs/promises";
import { Failure } from "../../error/failure.ts";
import { representationOf } from "../representation.ts";
import type { Choose } from "../serve.ts";
import type { DocsPath } from "./paths.ts";

interface File {
  readonly location: () => URL;
  readonly contentType: string;
}

const html = "text/html; charset=utf-8";
const css = "text/css; charset=utf-8";
const script = "text/javascript; charset=utf-8";

const files: Readonly<Record<DocsPath, File>> = {
  "/docs": { location: own("page.html"), contentType: html },
  "/docs/page.css": { location: own("page.css"), contentType: css },
  "/docs/page.js": { location: own("page.js"), contentType: script },
  "/docs/icon.svg": { location: own("icon.svg"), contentType: "image/svg+xml" },
  "/docs/swagger-ui.css": { location: ofSwaggerUi("swagger-ui.css"), contentType: css },
  "/docs/swagger-ui-bundle.js": { location: ofSwaggerUi("swagger-ui-bundle.js"), contentType: script },
};

/** The page runs only its own scripts, connects only to this server, and cannot be framed. Images in Swagger UI's styles are data URLs. */
const headers = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
};

export async function docsFile(path: DocsPath): Promise<Choose> {
  const { location, contentType } = files[path];
  const file = await representationOf(await readFile(location()), contentType, headers);
  return () => file;
}

function own(name: string): () => URL {
  return () => new URL(name, import.meta.url);
}

/** Says which package is missing if an installation left it out. */
function ofSwaggerUi(name: string): () => URL {
  return () => {
    try {
      return new URL(import.meta.resolve(`swagger-ui-dist/${name}`));
    } catch {
      throw new Failure("ROUTE_NOT_FOUND", { message: "the documentation page needs the package swagger-ui-dist, which is not installed" });
    }
  };
}

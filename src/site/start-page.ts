import { createHash } from "node:crypto";
import { headerOf } from "../http/message.ts";
import { prefersHtml } from "./accept.ts";
import { type Representation, representationOf } from "./representation.ts";
import type { Choose } from "./serve.ts";

/** One resource of the server, and its path. */
interface Link {
  readonly name: string;
  readonly path: string;
  readonly text: string;
}

const style = `:root { color-scheme: light dark; font: 16px/1.6 system-ui, sans-serif; }
body { max-width: 40rem; margin: 12vh auto; padding: 0 1.5rem; background: Canvas; color: CanvasText; }
h1 { margin: 0; font-size: 1.6rem; }
dt { margin-top: 1.25rem; }
dd { margin: 0; opacity: 0.8; }`;
const styleHash = createHash("sha256").update(style).digest("base64");
const pageHeaders = {
  "content-security-policy": `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  "referrer-policy": "no-referrer",
  vary: "accept",
};

/** The content of `GET /`: where to continue, as JSON for programs and as HTML for people. */
export async function startPage(version: string, hasDocs: boolean): Promise<Choose> {
  const links = linksOf(hasDocs);
  const json = memberText({ name: "Keywright", version, ...Object.fromEntries(links.map(({ name, path }) => [name, path])) });
  const forms = {
    json: await representationOf(Buffer.from(json), "application/json", { vary: "accept" }),
    html: await representationOf(Buffer.from(htmlOf(version, links)), "text/html; charset=utf-8", pageHeaders),
  };
  return (request): Representation => (prefersHtml(headerOf(request, "accept")) ? forms.html : forms.json);
}

function linksOf(hasDocs: boolean): readonly Link[] {
  const docs = { name: "docs", path: "/docs", text: "The API to read and to try." };
  return [
    ...(hasDocs ? [docs] : []),
    { name: "openapi", path: "/openapi.json", text: "The API as an OpenAPI 3.1 document." },
    { name: "jwks", path: "/.well-known/jwks.json", text: "The public keys that verify JWTs of this service." },
    { name: "alive", path: "/health/alive", text: "Whether the process answers." },
    { name: "ready", path: "/health/ready", text: "Whether it can serve calls." },
  ];
}

function memberText(members: Readonly<Record<string, string>>): string {
  return `${JSON.stringify(members, null, 2)}\n`;
}

function htmlOf(version: string, links: readonly Link[]): string {
  // Relative, for proxies that serve Keywright below a path of theirs.
  const items = links.map(({ path, text }) => `<dt><a href="${path.slice(1)}">${path}</a></dt><dd>${text}</dd>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Keywright</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>Keywright</h1>
<p>API keys as a service, version ${version}. gRPC, gRPC-Web, Connect and JSON/HTTP share this port.</p>
<dl>
${items.join("\n")}
</dl>
</main>
</body>
</html>
`;
}

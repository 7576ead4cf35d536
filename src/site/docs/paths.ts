/** The paths of the page and of everything that it needs. */
export const docsPaths = [
  "/docs",
  "/docs/page.css",
  "/docs/page.js",
  "/docs/icon.svg",
  "/docs/swagger-ui.css",
  "/docs/swagger-ui-bundle.js",
] as const;

export type DocsPath = (typeof docsPaths)[number];

import { mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";

export const root = join(import.meta.dirname, "../..");

/** The pages whose commands are run, by path from the root of the checkout. */
export const commandPages: readonly string[] = [
  "README.md",
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

export function pageText(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** Returns a page's fenced blocks of one language, in order. */
export function blocksOf(path: string, language: string): string[] {
  return [...pageText(path).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map((match) => match[1] as string);
}

/** Makes a folder in which commands run as in the checkout, without its `data`. Returns the folder. */
export function linkCheckout(folder: string): string {
  mkdirSync(folder, { recursive: true });
  for (const name of ["node_modules", "gen", "scripts", "src", "tools", "package.json"]) symlinkSync(join(root, name), join(folder, name));
  return folder;
}

import { readFileSync } from "node:fs";
import { join } from "node:path";

export const readme = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");

/** Fenced blocks of one language, in their order. */
export function readmeBlocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map((match) => match[1] as string);
}

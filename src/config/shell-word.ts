/** Returns the text as one word of a shell command. */
export function shellWord(text: string): string {
  if (/^[\w./-]+$/.test(text)) return text;
  const quoted = text.split("'").map((part) => `'${part}'`);
  return quoted.join("\\'");
}

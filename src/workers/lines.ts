import type { Readable } from "node:stream";

/** Calls `onLines` with one or more complete lines of `stream`, including newlines. Adds a newline to a last line without one. */
export function readLines(stream: Readable, onLines: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    const end = text.lastIndexOf("\n") + 1;
    if (end === 0) {
      rest += text;
      return;
    }
    onLines(rest + text.slice(0, end));
    rest = text.slice(end);
  });
  stream.once("end", () => {
    if (rest !== "") onLines(`${rest}\n`);
  });
}

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const word = /true|false|null/y;
const space = /[ \t\n\r]*/y;

/**
 * The offset of the first character that is not valid in JSON (RFC 8259), or the length of the text if it ends too early. Undefined for
 * valid JSON. JSON.parse reports it only in a message that quotes the text, which may be a secret. Uses no recursion.
 */
export function jsonErrorOffset(text: string): number | undefined {
  const steps = jsonErrorSteps(text);
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

/** The same in steps of one value each, for long texts. */
export function* jsonErrorSteps(text: string): Generator<void, number | undefined> {
  let at = skip(space, text, 0);
  const closers: string[] = [];
  for (;;) {
    yield;
    // A value follows.
    const first = text[at];
    if (first === "{" || first === "[") {
      const closer = first === "{" ? "}" : "]";
      at = skip(space, text, at + 1);
      if (text[at] === closer) at++;
      else {
        closers.push(closer);
        if (closer === "]") continue;
        const name = memberName(text, at);
        at = name.at;
        if (!name.isWhole) return at;
        continue;
      }
    } else {
      const scalar = scalarEnd(text, at);
      if (!scalar.isWhole) return scalar.at;
      at = scalar.at;
    }
    // A value ended. Close the arrays and objects that end here too.
    at = skip(space, text, at);
    while (closers.length > 0 && text[at] === closers.at(-1)) {
      closers.pop();
      at = skip(space, text, at + 1);
    }
    if (closers.length === 0) return at === text.length ? undefined : at;
    if (text[at] !== ",") return at;
    at = skip(space, text, at + 1);
    if (closers.at(-1) === "}") {
      const name = memberName(text, at);
      at = name.at;
      if (!name.isWhole) return at;
    }
  }
}

/** The end of a token, or the offset of the error if it is incomplete. */
interface End {
  readonly at: number;
  readonly isWhole: boolean;
}

function memberName(text: string, start: number): End {
  if (text[start] !== '"') return { at: start, isWhole: false };
  const name = stringEnd(text, start);
  if (!name.isWhole) return name;
  const at = skip(space, text, name.at);
  return text[at] === ":" ? { at: skip(space, text, at + 1), isWhole: true } : { at, isWhole: false };
}

function scalarEnd(text: string, start: number): End {
  if (text[start] === '"') return stringEnd(text, start);
  const at = Math.max(skip(number, text, start), skip(word, text, start));
  return { at, isWhole: at > start };
}

function stringEnd(text: string, start: number): End {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return { at: at + 1, isWhole: true };
    if (code < 0x20) return { at, isWhole: false };
    if (code !== 0x5c) continue;
    const escaped = text[at + 1] ?? "";
    if (escaped === "u" && /^[0-9a-fA-F]{4}$/.test(text.slice(at + 2, at + 6))) at += 5;
    else if (escaped !== "" && '"\\/bfnrt'.includes(escaped)) at++;
    else return { at, isWhole: false };
  }
  return { at: text.length, isWhole: false };
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

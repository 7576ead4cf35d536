/** A problem of a path template, with its column, which counts from 1. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
}

/** Reads the text of a path template, one character or one run of characters at a time. */
export class TemplateScanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get at(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#text.length;
  }

  /** Skips `token` if it comes next. */
  accept(token: string): boolean {
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  expect(token: string): void {
    if (!this.accept(token)) this.fail(`expected "${token}"`);
  }

  /** Returns what `pattern` (sticky) matches next; fails if it matches nothing. */
  take(pattern: RegExp, what: string): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    if (found === "") this.fail(`expected ${what}`);
    this.#at += found.length;
    return found;
  }

  /** `at` is an offset, like the property `at`. */
  fail(problem: string, at = this.#at): never {
    throw new TemplateError(`${problem} at column ${at + 1} of "${this.#text}"`);
  }
}

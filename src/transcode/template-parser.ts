import { TemplateScanner } from "./template-scanner.ts";

/** A variable and the segments it captures: from `start` up to `end`, or to the end of the path if `end` is undefined (`**`). */
export interface TemplateVariable {
  readonly fieldPath: string;
  readonly start: number;
  readonly end: number | undefined;
  /** True for more than one segment, or `**`. Then decoding the value leaves %2F unchanged. */
  readonly isMulti: boolean;
}

export interface PathTemplate {
  /** Literals, `*` and `**`; variables are resolved into these. */
  readonly segments: readonly string[];
  /** Without its colon; empty if the template has no verb. */
  readonly verb: string;
  readonly variables: readonly TemplateVariable[];
}

const identifier = /[A-Za-z_][A-Za-z0-9_]*/y;
/** RFC 3986 pchar, except `*` and `:`, which belong to the grammar. */
const literal = /(?:[A-Za-z0-9\-._~!$&'()+,;=@]|%[0-9A-Fa-f]{2})+/y;

/**
 * Parses a path template of google.api.http:
 *
 *     Template  = "/" Segments [ Verb ] ;
 *     Segments  = Segment { "/" Segment } ;
 *     Segment   = "*" | "**" | LITERAL | Variable ;
 *     Variable  = "{" FieldPath [ "=" Segments ] "}" ;
 *     FieldPath = IDENT { "." IDENT } ;
 *     Verb      = ":" LITERAL ;
 *
 * `**` must be last, variables contain no variables, and each field is bound once. Throws TemplateError with the column.
 */
export function parseTemplate(text: string): PathTemplate {
  const scanner = new TemplateScanner(text);
  const segments: string[] = [];
  const variables: TemplateVariable[] = [];
  scanner.expect("/");
  parseSegments(scanner, segments, variables);
  const verb = scanner.accept(":") ? scanner.take(literal, "a verb") : "";
  if (!scanner.isAtEnd) scanner.fail('expected "/", ":" or the end');
  return { segments, verb, variables };
}

/** `variables` is undefined inside a variable. */
function parseSegments(scanner: TemplateScanner, segments: string[], variables: TemplateVariable[] | undefined): void {
  do {
    if (segments.at(-1) === "**") scanner.fail('"**" must be the last segment, but there is another');
    const { at } = scanner;
    if (scanner.accept("{")) {
      if (variables === undefined) scanner.fail("a variable inside a variable", at);
      parseVariable(scanner, segments, variables);
    } else if (scanner.accept("**")) segments.push("**");
    else if (scanner.accept("*")) segments.push("*");
    else segments.push(parseLiteral(scanner));
  } while (scanner.accept("/"));
}

function parseLiteral(scanner: TemplateScanner): string {
  const { at } = scanner;
  const text = scanner.take(literal, "a segment");
  if (text === "." || text === "..") scanner.fail("a dot segment, which no path may have,", at);
  return text;
}

function parseVariable(scanner: TemplateScanner, segments: string[], variables: TemplateVariable[]): void {
  const start = segments.length;
  const { at } = scanner;
  let fieldPath = scanner.take(identifier, "a field name");
  while (scanner.accept(".")) fieldPath += `.${scanner.take(identifier, "a field name")}`;
  if (variables.some((variable) => variable.fieldPath === fieldPath)) scanner.fail(`"${fieldPath}" is bound twice`, at);
  if (scanner.accept("=")) parseSegments(scanner, segments, undefined);
  else segments.push("*");
  scanner.expect("}");
  const isOpen = segments.at(-1) === "**";
  variables.push({ fieldPath, start, end: isOpen ? undefined : segments.length, isMulti: isOpen || segments.length - start > 1 });
}

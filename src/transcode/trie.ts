import type { PathTemplate } from "./template-parser.ts";

/** By HTTP method; `*` matches any. */
type ByMethod<T> = Map<string, T>;

interface Node<T> {
  readonly literals: Map<string, Node<T>>;
  any: Node<T> | undefined;
  /** Values of paths that end here, by verb. */
  readonly leaves: Map<string, ByMethod<T>>;
  /** Values that match the rest of the path, by verb. */
  readonly rests: Map<string, ByMethod<T>>;
}

/** Finds the value registered for a path and an HTTP method. Paths are compared as received, without decoding. */
export interface Trie<T> {
  /** Returns false if the method already has a template of the same shape. */
  insert(template: PathTemplate, httpMethod: string, value: T): boolean;
  /** HEAD falls back to GET. */
  find(path: string, httpMethod: string): T | undefined;
  /** The methods allowed on the path, which may include `*`. */
  methodsAt(path: string): Set<string>;
}

/**
 * Literals take precedence over `*`, and `*` over `**`, segment by segment from the left. If the better branch has nothing for this method,
 * the next one is tried. The verb of a path follows the last colon of its last segment. Empty segments and dot segments (`.`, `..`, `%2e`)
 * match no variable.
 */
export function createTrie<T>(): Trie<T> {
  const root = newNode<T>();
  /** Paths without any variable. */
  const statics = new Map<string, ByMethod<T>>();
  return {
    insert(template, httpMethod, value) {
      const methods = leafOf(root, template);
      if (methods.has(httpMethod)) return false;
      methods.set(httpMethod, value);
      if (!template.segments.some((segment) => segment === "*" || segment === "**")) statics.set(pathOf(template), methods);
      return true;
    },
    find(path, httpMethod) {
      const methods = statics.get(path);
      return (methods && serving(methods, httpMethod)) ?? search(root, path, httpMethod, undefined);
    },
    methodsAt(path) {
      const found = new Set<string>();
      search(root, path, "", found);
      return found;
    },
  };
}

function newNode<T>(): Node<T> {
  return { literals: new Map(), any: undefined, leaves: new Map(), rests: new Map() };
}

function pathOf(template: PathTemplate): string {
  return `/${template.segments.join("/")}${template.verb === "" ? "" : `:${template.verb}`}`;
}

function leafOf<T>(root: Node<T>, template: PathTemplate): ByMethod<T> {
  let node = root;
  let leaves = root.leaves;
  for (const segment of template.segments) {
    if (segment === "**") {
      leaves = node.rests;
      break;
    }
    node = childOf(node, segment);
    leaves = node.leaves;
  }
  const methods = leaves.get(template.verb) ?? new Map<string, T>();
  leaves.set(template.verb, methods);
  return methods;
}

function childOf<T>(node: Node<T>, segment: string): Node<T> {
  if (segment === "*") {
    node.any ??= newNode();
    return node.any;
  }
  const child = node.literals.get(segment) ?? newNode();
  node.literals.set(segment, child);
  return child;
}

function serving<T>(methods: ByMethod<T>, httpMethod: string): T | undefined {
  return methods.get(httpMethod) ?? (httpMethod === "HEAD" ? methods.get("GET") : undefined) ?? methods.get("*");
}

/** With `found` it collects every method instead of stopping at the first match. */
function search<T>(root: Node<T>, path: string, httpMethod: string, found: Set<string> | undefined): T | undefined {
  if (path.charCodeAt(0) !== slash) return undefined;
  const colon = path.lastIndexOf(":");
  const hasVerb = colon > path.lastIndexOf("/");
  const verb = hasVerb ? path.slice(colon + 1) : "";
  if (hasVerb && verb === "") return undefined;
  return walk(root, 0, { path, end: hasVerb ? colon : path.length, verb, httpMethod, found });
}

interface Search {
  readonly path: string;
  /** End of the path without its verb. */
  readonly end: number;
  readonly verb: string;
  readonly httpMethod: string;
  readonly found: Set<string> | undefined;
}

/** `at` is the slash before the next segment, or `end`. */
function walk<T>(node: Node<T>, at: number, wanted: Search): T | undefined {
  const { path, end, verb, httpMethod, found } = wanted;
  if (at >= end) return answer(node.leaves.get(verb), httpMethod, found) ?? answer(node.rests.get(verb), httpMethod, found);
  const start = at + 1;
  const stop = segmentEnd(path, start, end);
  if (stop === start) return undefined;
  const literal = node.literals.get(path.slice(start, stop));
  if (literal !== undefined) {
    const value = walk(literal, stop, wanted);
    if (value !== undefined) return value;
  }
  if (node.any !== undefined && !isDotSegment(path, start, stop)) {
    const value = walk(node.any, stop, wanted);
    if (value !== undefined) return value;
  }
  const rest = node.rests.get(verb);
  return rest !== undefined && isCleanRest(path, at, end) ? answer(rest, httpMethod, found) : undefined;
}

function answer<T>(methods: ByMethod<T> | undefined, httpMethod: string, found: Set<string> | undefined): T | undefined {
  if (methods === undefined) return undefined;
  if (found === undefined) return serving(methods, httpMethod);
  for (const method of methods.keys()) found.add(method);
  return undefined;
}

const slash = 0x2f;

/** Returns the end of the segment that begins at `start`. */
export function segmentEnd(path: string, start: number, end: number): number {
  const next = path.indexOf("/", start);
  return next < 0 || next > end ? end : next;
}

function isCleanRest(path: string, at: number, end: number): boolean {
  for (let start = at + 1; start <= end; ) {
    const stop = segmentEnd(path, start, end);
    if (stop === start || isDotSegment(path, start, stop)) return false;
    start = stop + 1;
  }
  return true;
}

/** `.` and `..`, also percent-encoded. */
function isDotSegment(path: string, start: number, end: number): boolean {
  if (end - start > 6) return false;
  const first = path[start];
  if (first !== "." && first !== "%") return false;
  const text = path.slice(start, end).replaceAll(/%2e/gi, ".");
  return text === "." || text === "..";
}

/** The path of forward authorization, which is served here and at every path below. */
const verifyPath = "/gateway/verify";

/** Ends the demands. Gateways that append the end user's path to their own path end their own path with it. */
const endOfDemands = "-";

/** Reports whether forward authorization is served at a raw path. */
export function isVerifyPath(path: string): boolean {
  return path.startsWith(verifyPath) && (path.length === verifyPath.length || path.charCodeAt(verifyPath.length) === 0x2f) /* / */;
}

/**
 * Returns the names and values of the demands in the raw path, `/gateway/verify/scopes=read,write/cost=2`. What follows a segment `-` is
 * the end user's path and is ignored. A segment without `=` is a name without a value.
 */
export function demandsInPath(path: string): [name: string, value: string][] {
  if (path.length === verifyPath.length) return [];
  const segments = path.slice(verifyPath.length + 1).split("/");
  const end = segments.indexOf(endOfDemands);
  return (end === -1 ? segments : segments.slice(0, end)).map((segment) => {
    const at = segment.indexOf("=");
    return at === -1 ? [segment, ""] : [segment.slice(0, at), segment.slice(at + 1)];
  });
}

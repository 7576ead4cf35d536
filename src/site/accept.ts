/**
 * Whether a client prefers HTML to JSON, by its Accept header: it names `text/html`, and no JSON with a higher weight (RFC 9110, section
 * 12.5.1). Ranges such as `text/*` count as no preference, because programs send them.
 */
export function prefersHtml(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  const weights = new Map(accept.split(",").map(rangeOf));
  const html = weights.get("text/html") ?? 0;
  return html > 0 && html >= (weights.get("application/json") ?? 0);
}

function rangeOf(text: string): readonly [range: string, weight: number] {
  const [range = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith("q="));
  const value = weight === undefined ? 1 : Number(weight.slice(2));
  return [range, value >= 0 && value <= 1 ? value : 0];
}

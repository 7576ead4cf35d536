import { Failure } from "../error/failure.ts";
import { checkNotEncoded } from "../http/content-encoding.ts";
import { parseMediaType } from "../http/media-type.ts";
import { type HttpRequest, headerOf } from "../http/message.ts";

/** Throws UNSUPPORTED_MEDIA_TYPE unless the body is uncompressed JSON in UTF-8. */
export function checkMediaType(request: HttpRequest): void {
  const contentType = headerOf(request, "content-type");
  if (contentType !== "application/json" && !isJsonMediaType(contentType ?? "")) throw new Failure("UNSUPPORTED_MEDIA_TYPE");
  checkNotEncoded(request);
}

/** `application/json` and `application/*+json` in any case and spelling; the only charset is UTF-8. */
function isJsonMediaType(contentType: string): boolean {
  const { essence, isUtf8 } = parseMediaType(contentType);
  return isUtf8 && (essence === "application/json" || /^application\/[^\s/+]+(?:\+[^\s/+]+)*\+json$/.test(essence));
}

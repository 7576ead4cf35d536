import { Failure } from "../error/failure.ts";
import { headerOf, type RequestHead } from "./message.ts";

/** Throws UNSUPPORTED_MEDIA_TYPE if the body is compressed. For endpoints that do not inflate bodies. */
export function checkNotEncoded(request: Pick<RequestHead, "headers">): void {
  const encoding = headerOf(request, "content-encoding")?.trim().toLowerCase();
  if (encoding !== undefined && encoding !== "" && encoding !== "identity") {
    throw new Failure("UNSUPPORTED_MEDIA_TYPE", { message: "the request body must not have a content-encoding" });
  }
}

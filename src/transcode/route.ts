import type { DescField, DescMethodUnary, Message } from "@bufbuild/protobuf";
import type { Handler } from "../call/call.ts";
import type { FieldPath } from "./field-path.ts";

/** The response of a success, if it is not a plain 200. */
export interface Success {
  readonly status: 200 | 201 | 204;
  /** For the Location header. */
  readonly location?: (response: Message) => string;
}

/** The field that a path variable sets, and the segments of the path that it captures; see TemplateVariable. */
export interface PathBinding {
  readonly field: FieldPath;
  readonly start: number;
  readonly end: number | undefined;
  readonly isMulti: boolean;
}

/** One checked HTTP binding of a method. */
export interface Route {
  readonly method: DescMethodUnary;
  readonly handler: Handler;
  readonly bindings: readonly PathBinding[];
  /** `all` is `*`. */
  readonly body: "none" | "all" | DescField;
  /** The field of the response that becomes the body; undefined for the whole message. */
  readonly responseBody: DescField | undefined;
  readonly success: Success;
  /** Maximum size of the request body. */
  readonly maxBytes: number;
}

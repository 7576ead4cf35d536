import type { DescField, DescMethodUnary, Message } from "@bufbuild/protobuf";
import type { Handler } from "../call/call.ts";
import type { FieldPath } from "./field-path.ts";

/** The response to a success, if it is not a plain 200. */
export interface Success {
  readonly status: 200 | 201 | 204;
  /** For the Location header. */
  readonly location?: (response: Message) => string;
}

/** Where a path variable's text goes, and which segments of the path it is; see TemplateVariable. */
export interface PathBinding {
  readonly field: FieldPath;
  readonly start: number;
  readonly end: number | undefined;
  readonly isMulti: boolean;
}

/** One HTTP binding of a method, checked. */
export interface Route {
  readonly method: DescMethodUnary;
  readonly handler: Handler;
  readonly bindings: readonly PathBinding[];
  /** `all` is `*`. */
  readonly body: "none" | "all" | DescField;
  /** The response's field that is the response body; undefined for the whole message. */
  readonly responseBody: DescField | undefined;
  readonly success: Success;
  /** Of the request body. */
  readonly maxBytes: number;
}

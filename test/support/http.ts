import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { asObject } from "./clients/client.ts";

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body, which must be a JSON object. */
  readonly json: JsonObject;
}

export interface HttpOptions {
  /** A text is sent unchanged, anything else as JSON. */
  readonly body?: JsonValue;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bearer token. Default: the sender's; null: none. */
  readonly token?: string | null;
}

/** `send("GET", "/path")`, independent of the API. */
export type Send = (httpMethod: string, path: string, options?: HttpOptions) => Promise<HttpAnswer>;

export function httpSender(baseUrl: string, defaultToken: string): Send {
  return async (httpMethod, path, { body, headers = {}, token = defaultToken } = {}) => {
    const answer = await fetch(`${baseUrl}${path}`, {
      method: httpMethod,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      get json() {
        return asObject(JSON.parse(text));
      },
    };
  };
}

/** Returns a member deep inside a JSON object: `at(json, "issued_api_key", "key_id")`. Undefined if there is none. */
export function at(json: JsonValue | undefined, ...path: readonly string[]): JsonValue | undefined {
  return path.reduce<JsonValue | undefined>((value, name) => (value === undefined ? undefined : asObject(value)[name]), json);
}

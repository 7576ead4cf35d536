import { fromBinary, fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import { BadRequestSchema, ErrorInfoSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import { asObject, type ClientKind, headersOf, methodNamed, pathOf, type Refusal, type Reply } from "./client.ts";

/** Connect as a program without any library speaks it: one JSON POST. */
export const connectJson: ClientKind = {
  name: "Connect JSON by fetch, HTTP/1.1",
  wire: { httpVersion: "1.1", contentType: /^application\/json$/, readsByGet: false },
  sendsAnyJson: true,
  open(url, defaultToken) {
    return {
      name: connectJson.name,
      async call(methodName, request, options = {}): Promise<Reply> {
        const method = methodNamed(methodName);
        const answer = await fetch(`${url}${pathOf(method)}`, {
          method: "POST",
          headers: { "content-type": "application/json", "connect-protocol-version": "1", ...headersOf(defaultToken, options) },
          body: JSON.stringify(request),
        });
        const json = asObject(JSON.parse(await answer.text()));
        if (!answer.ok) return refusalOf(json, answer);
        const response = asObject(toJson(method.output, fromJson(method.output, json), { useProtoFieldName: true }));
        return { ok: true, response, headers: answer.headers };
      },
      async [Symbol.asyncDispose]() {},
    };
  },
};

interface WireDetail {
  readonly type: string;
  /** Base64 without padding. */
  readonly value: string;
}

function refusalOf(json: JsonObject, answer: Response): Refusal {
  const { code, message, details = [] } = json as unknown as { code: string; message: string; details?: readonly WireDetail[] };
  const bytesOf = (typeName: string) => details.filter(({ type }) => type === typeName).map(({ value }) => Buffer.from(value, "base64"));
  return {
    ok: false,
    code: code === "canceled" ? "CANCELLED" : code.toUpperCase(),
    reason: bytesOf(ErrorInfoSchema.typeName).map((bytes) => fromBinary(ErrorInfoSchema, bytes))[0]?.reason ?? "",
    violations: bytesOf(BadRequestSchema.typeName)
      .flatMap((bytes) => fromBinary(BadRequestSchema, bytes).fieldViolations)
      .map(({ field, description }) => ({ field, description })),
    message,
    headers: answer.headers,
    httpStatus: answer.status,
  };
}

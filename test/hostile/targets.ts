import { type DescField, type DescMethod, type DescMethodUnary, getOption } from "@bufbuild/protobuf";
import { http } from "../../gen/google/api/annotations_pb.ts";
import { services } from "../../src/rpc/methods.ts";

/** A method of the service, and its paths. */
export interface Target {
  readonly method: DescMethodUnary;
  /** HTTP method and path of JSON/HTTP; `{...}` in the path stands for a key id. */
  readonly httpMethod: string;
  readonly path: string;
  /** Whether JSON/HTTP accepts a body. */
  readonly hasBody: boolean;
  /** Path of gRPC and Connect. */
  readonly rpcPath: string;
  /** Every field of the request, and of the messages in it, by its path. */
  readonly fields: readonly { readonly path: readonly string[]; readonly field: DescField }[];
}

export const targets: readonly Target[] = services
  .flatMap(({ methods }) => methods as readonly DescMethod[])
  .map((method): Target => {
    const rule = getOption(method, http);
    const { pattern } = rule;
    if (typeof pattern.value !== "string") throw new Error(`${method.name} has no path`);
    return {
      method: method as DescMethodUnary,
      httpMethod: (pattern.case ?? "post").toUpperCase(),
      path: pattern.value,
      hasBody: rule.body !== "",
      rpcPath: `/${method.parent.typeName}/${method.name}`,
      fields: fieldsOf(method.input.fields, [], 3),
    };
  });

export function targetNamed(name: string): Target {
  const target = targets.find(({ method }) => method.name === name);
  if (target === undefined) throw new Error(`no method ${name} found`);
  return target;
}

function fieldsOf(fields: readonly DescField[], prefix: readonly string[], depth: number): Target["fields"] {
  return fields.flatMap((field) => {
    const path = [...prefix, field.name];
    const isOwn = field.message?.typeName.startsWith("keywright.") === true;
    return [{ path, field }, ...(isOwn && depth > 0 ? fieldsOf(field.message?.fields ?? [], path, depth - 1) : [])];
  });
}

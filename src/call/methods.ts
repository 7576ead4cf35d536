import {
  create,
  type DescMethod,
  type DescMethodUnary,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { Call, Handler, Interceptor } from "./call.ts";

/** A method as a plain function of its message and the call. */
export type Implementation<M extends DescMethodUnary> = (
  request: MessageShape<M["input"]>,
  call: Call,
) => Promise<MessageInitShape<M["output"]>> | MessageInitShape<M["output"]>;

/** An implementation for every unary method of a service, by local name. */
export type Implementations<S extends DescService> = {
  [K in keyof S["method"] as S["method"][K] extends DescMethodUnary ? K : never]: S["method"][K] extends DescMethodUnary
    ? Implementation<S["method"][K]>
    : never;
};

/** The methods that the protocols serve: each unary method with its handler, interceptors applied. */
export type MethodTable = ReadonlyMap<DescMethodUnary, Handler>;

/** Binds implementations to their methods and wraps each in the interceptors. This happens once, so that it costs a call nothing. */
export function createMethodTable<S extends DescService>(
  service: S,
  implementations: Implementations<S>,
  interceptors: readonly Interceptor[],
): MethodTable {
  const table = new Map<DescMethodUnary, Handler>();
  for (const method of service.methods) {
    if (!isUnary(method)) continue;
    const implementation = implementations[method.localName as keyof Implementations<S>] as Implementation<DescMethodUnary>;
    const innermost: Handler = (request, call) => {
      const answer = implementation(request, call);
      return answer instanceof Promise ? answer.then((init) => create(method.output, init)) : create(method.output, answer);
    };
    table.set(
      method,
      interceptors.reduceRight<Handler>((next, interceptor) => interceptor(next), innermost),
    );
  }
  return table;
}

/** `/package.Service/Method`, in all protocols but JSON/HTTP. */
export function pathOf({ parent, name }: DescMethod): string {
  return `/${parent.typeName}/${name}`;
}

export function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

import type { DescMessage, DescMethod, DescMethodUnary, Message } from "@bufbuild/protobuf";
import { CallersService } from "../../gen/keywright/v2alpha1/callers_service_pb.ts";
import { TenantsService } from "../../gen/keywright/v2alpha1/tenants_service_pb.ts";
import { publicBody } from "./body-bounds.ts";
import { type Access, type MethodName, type MethodRow, methodRows, type Success, services } from "./methods.ts";

/** A location function only gets responses of its own method, because it is looked up by method. */
const rows = new Map<DescMethod, MethodRow<Message>>(
  services.flatMap(({ methods }) => methods as readonly DescMethod[]).map((method) => [method, rowOf(method)]),
);

/** `npm run generate` runs this before `tsc` reports the missing row. */
function rowOf({ name, localName }: DescMethod): MethodRow<Message> {
  if (!Object.hasOwn(methodRows, localName)) throw new Error(`${name} has no row in src/rpc/methods.ts`);
  return methodRows[localName as MethodName] as MethodRow<Message>;
}

/** The methods that have a row. */
export const tableMethods: readonly DescMethod[] = [...rows.keys()];

/** Returns which built-in roles may call a method. Undefined for methods without a row. */
export function accessOf(method: DescMethod): Access | undefined {
  return rows.get(method)?.access;
}

export function isRead(method: DescMethod): boolean {
  return rows.get(method)?.effect === "read";
}

/** Changes are refused while the tenant is suspended. */
export function isChange(method: DescMethod): boolean {
  return rows.get(method)?.effect === "change";
}

/** Methods about all tenants, not about the keys of one. */
export function isOfInstallation(method: DescMethod): boolean {
  return method.parent === TenantsService;
}

/** Methods about the caller, not about a tenant. */
export function isOfCaller(method: DescMethod): boolean {
  return method.parent === CallersService;
}

export function hasSecret(method: DescMethod): boolean {
  return rows.get(method)?.hasSecret === true;
}

/** The HTTP response of each method's success. */
export const successes: ReadonlyMap<DescMethodUnary, Success<Message>> = new Map(
  [...rows].map(([method, { success }]) => [method as DescMethodUnary, success]),
);

/** Maximum size of a method's request, before and after inflating. Health and reflection are public. */
export function maxBytes(method: DescMethod): number {
  return (rows.get(method)?.body ?? publicBody).maxBytes;
}

const maxJsonValuesOf = new Map<DescMessage, number>([...rows].map(([{ input }, { body }]) => [input, body.maxJsonValues]));

/** Maximum number of values in the JSON of a request. Methods with the same request have the same limit. */
export function maxJsonValues(request: DescMessage): number {
  return maxJsonValuesOf.get(request) ?? publicBody.maxJsonValues;
}

import { type DescMethod, fromJson, type JsonObject } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { services } from "../../../src/rpc/methods.ts";
import { createFullValidator } from "../../../src/validation/validator.ts";
import { samples } from "../../../tools/openapi/samples.ts";

const methods = services.flatMap((service) => service.methods as readonly DescMethod[]);
const violationsOf = createFullValidator();

test.each(Object.entries(samples))("the sample of %s satisfies the rules of its request", (name, sample) => {
  const { input } = methods.find((method) => method.name === name) as DescMethod;
  // The body of an update is the key, whose id is in the path.
  const resource = input.fields.find((field) => field.message !== undefined && name.startsWith("AdminUpdate"));
  const json: JsonObject = resource === undefined ? (sample as JsonObject) : { [resource.name]: sample as JsonObject };
  const inPath: JsonObject = input.fields.some((field) => field.name === "key_id") ? { key_id: "01ARZ3NDEKTSV4RRFFQ69G5FAV" } : {};
  expect(violationsOf(input, fromJson(input, { ...json, ...inPath }))).toEqual([]);
});

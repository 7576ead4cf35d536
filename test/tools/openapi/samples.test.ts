import { type DescMethod, fromJson, getOption, hasOption, type JsonObject } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { http } from "../../../gen/google/api/annotations_pb.ts";
import { services } from "../../../src/rpc/methods.ts";
import { createFullValidator } from "../../../src/validation/validator.ts";
import { samples } from "../../../tools/openapi/samples.ts";

const methods = services.flatMap((service) => service.methods as readonly DescMethod[]);
const violationsOf = createFullValidator();

test.each(Object.entries(samples))("the sample of %s satisfies the rules of its request", (name, sample) => {
  const method = methods.find((each) => each.name === name) as DescMethod;
  const { input } = method;
  // The body is the whole request, or one field of it. Ids are in the path.
  const { body } = getOption(method, http);
  const json = (body === "*" ? sample : { [body]: sample }) as JsonObject;
  const ids: JsonObject = { key_id: "01ARZ3NDEKTSV4RRFFQ69G5FAV", tenant_id: "acme" };
  const inPath = Object.fromEntries(Object.entries(ids).filter(([id]) => input.fields.some((field) => field.name === id)));
  expect(violationsOf(input, fromJson(input, { ...json, ...inPath }))).toEqual([]);
});

test("every method with a body has a sample", () => {
  const withBody = methods.filter((method) => hasOption(method, http) && getOption(method, http).body !== "");
  expect(withBody.map(({ name }) => name).filter((name) => samples[name] === undefined)).toEqual([]);
});

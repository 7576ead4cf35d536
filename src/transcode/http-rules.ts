import { type DescField, type DescMethodUnary, getOption, hasOption } from "@bufbuild/protobuf";
import { http } from "../../gen/google/api/annotations_pb.ts";
import type { HttpRule } from "../../gen/google/api/http_pb.ts";
import type { MethodTable } from "../call/methods.ts";
import { pathText, resolveFieldPath } from "./field-path.ts";
import type { PathBinding, Route, Success } from "./route.ts";
import { type PathTemplate, parseTemplate, type TemplateVariable } from "./template-parser.ts";
import { TemplateError } from "./template-scanner.ts";
import { createTrie, type Trie } from "./trie.ts";

export interface HttpRuleOptions {
  readonly methods: MethodTable;
  readonly rest: ReadonlyMap<DescMethodUnary, Success>;
  readonly maxBytes: (method: DescMethodUnary) => number;
}

const token = /^(?:\*|[A-Za-z0-9!#$%&'+.^_`|~-]+)$/;
const withoutBody = new Set(["GET", "HEAD", "DELETE", "OPTIONS"]);

/**
 * Compiles the google.api.http rules of all methods into one trie; `finish` makes the value of each route. Methods without a rule have no
 * route. Throws one Error that lists every problem: templates that do not parse, fields that do not exist or cannot be bound there,
 * duplicate routes.
 */
export function compileHttpRules<T>(options: HttpRuleOptions, finish: (route: Route) => T): Trie<T> {
  const trie = createTrie<T>();
  const problems: string[] = [];
  const add: Add = (template, httpMethod, route) => trie.insert(template, httpMethod, finish(route));
  for (const method of options.methods.keys()) {
    if (!hasOption(method, http)) {
      if (options.rest.has(method)) problems.push(`${method}: has a REST response but no google.api.http rule`);
      continue;
    }
    const rule = getOption(method, http);
    addRule(method, rule, add, options, problems);
    for (const additional of rule.additionalBindings) {
      if (additional.additionalBindings.length > 0) problems.push(`${method}: additional_bindings inside additional_bindings`);
      addRule(method, additional, add, options, problems);
    }
  }
  for (const method of options.rest.keys()) {
    if (!options.methods.has(method)) problems.push(`${method}: has a REST response but is not served`);
  }
  if (problems.length > 0) throw new Error(`google.api.http rules:\n${problems.join("\n")}`);
  return trie;
}

type Add = (template: PathTemplate, httpMethod: string, route: Route) => boolean;

function addRule(method: DescMethodUnary, rule: HttpRule, add: Add, options: HttpRuleOptions, problems: string[]): void {
  const report = (problem: string) => problems.push(`${method}: ${problem}`);
  const pattern = patternOf(rule);
  if (pattern === undefined) {
    report("a rule without a path");
    return;
  }
  const { httpMethod, path } = pattern;
  if (!token.test(httpMethod)) report(`"${httpMethod}" is not an HTTP method`);
  if (rule.body !== "" && withoutBody.has(httpMethod)) report(`${httpMethod} ${path}: ${httpMethod} has no body`);
  try {
    const template = parseTemplate(path);
    const bindings = template.variables.flatMap((variable) => bindingOf(method, variable, report) ?? []);
    const route: Route = {
      method,
      handler: options.methods.get(method) as Route["handler"],
      bindings,
      body: bodyOf(method, rule.body, bindings, report),
      responseBody: rule.responseBody === "" ? undefined : topField(method.output.fields, rule.responseBody, "response_body", report),
      success: options.rest.get(method) ?? { status: 200 },
      maxBytes: options.maxBytes(method),
    };
    if (!add(template, httpMethod, route)) report(`${httpMethod} ${path}: another rule has this path`);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    report(error.message);
  }
}

function patternOf(rule: HttpRule): { httpMethod: string; path: string } | undefined {
  const { pattern } = rule;
  if (pattern.case === undefined) return undefined;
  if (pattern.case === "custom") return { httpMethod: pattern.value.kind, path: pattern.value.path };
  return { httpMethod: pattern.case.toUpperCase(), path: pattern.value };
}

function bindingOf(method: DescMethodUnary, variable: TemplateVariable, report: (problem: string) => void): PathBinding | undefined {
  const field = resolveFieldPath(method.input, variable.fieldPath);
  const leaf = field?.at(-1);
  if (field === undefined || leaf === undefined || pathText(field) !== variable.fieldPath)
    report(`${method.input.typeName} has no field "${variable.fieldPath}" for the path`);
  else if (leaf.fieldKind !== "scalar" && leaf.fieldKind !== "enum")
    report(`"${variable.fieldPath}" is not a scalar and cannot be in the path`);
  else return { field, start: variable.start, end: variable.end, isMulti: variable.isMulti };
  return undefined;
}

function bodyOf(method: DescMethodUnary, body: string, bindings: readonly PathBinding[], report: (problem: string) => void): Route["body"] {
  if (body === "") return "none";
  if (body === "*") return "all";
  const field = topField(method.input.fields, body, "body", report);
  if (field === undefined) return "none";
  if (bindings.some((binding) => binding.field.length === 1 && binding.field[0] === field)) report(`"${body}" is in the path and the body`);
  return field;
}

function topField(fields: readonly DescField[], name: string, role: string, report: (problem: string) => void): DescField | undefined {
  const field = fields.find((candidate) => candidate.name === name);
  if (field === undefined) report(`${role}: no field "${name}" found`);
  return field;
}

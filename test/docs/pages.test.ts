import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { DescMethod } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { type Role, roles } from "../../src/core/role.ts";
import { errorTable } from "../../src/error/table.ts";
import { accessOf, tableMethods } from "../../src/rpc/method-table.ts";
import { blocksOf, commandPages, pageText, root } from "../support/docs.ts";

interface Marked {
  readonly "x-keywright-extension"?: true;
}
interface OpenApi {
  readonly paths: Record<string, Record<string, Marked & { readonly operationId: string; readonly tags: readonly string[] }>>;
  readonly components: { readonly schemas: Record<string, Marked & { readonly properties?: Record<string, Marked> }> };
}

test("README is short", () => {
  expect(pageText("README.md").split("\n").length).toBeLessThanOrEqual(100);
});

test("README and docs/guarantees.md state the same bounds", () => {
  const boundsOf = (path: string) => /^\| situation \| bound \|\n(?:\|.*\n)+/m.exec(pageText(path))?.[0];
  expect(boundsOf("README.md")).toBeDefined();
  expect(boundsOf("README.md")).toBe(boundsOf("docs/guarantees.md"));
});

test("every link to a file or heading of the repository has a target", () => {
  const pages = [...commandPages, "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "test/README.md"];
  const broken = pages.flatMap((page) =>
    [...pageText(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].flatMap(([link, path = "", anchor]) => {
      const target = path === "" ? page : join(dirname(page), path);
      if (!existsSync(join(root, target))) return [`${page}: ${link}`];
      return anchor === undefined || anchorsOf(target).includes(anchor) ? [] : [`${page}: ${link}`];
    }),
  );
  expect(broken).toEqual([]);
});

/** The anchors that GitHub generates for a page's headings. */
function anchorsOf(page: string): string[] {
  const headings = [...pageText(page).matchAll(/^#+ (.+)$/gm)].map((match) => match[1] as string);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

describe("docs/troubleshooting.md says what to do", () => {
  const page = pageText("docs/troubleshooting.md");

  test("for every alert", () => {
    const alerts = [...pageText("deploy/alert-rules.yaml").matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
    expect(alerts.length).toBeGreaterThan(5);
    expect(alerts.filter((name) => !page.includes(`| \`${name}\` |`))).toEqual([]);
  });

  test("for every warning and error in the log", () => {
    const messages = sources().flatMap(({ text }) => [...text.matchAll(/\b(?:log\??\.(?:warn|error)|outage\.failed)\([^"`;]*"([^"]+)"/g)]);
    expect(messages.length).toBeGreaterThan(15);
    // The page has the beginning of a line, without its reasons and consequences.
    const beginnings = messages.map(([, message = ""]) => message.split(/[;,:]| because /)[0]);
    expect(beginnings.filter((beginning) => !page.includes(`\`${beginning}`))).toEqual([]);
  });

  test("the text of a warning or an error stands in its call, where the test above finds it", () => {
    const call = /\blog\??\.(?:warn|error)\(/;
    const others = sources().filter(({ text }) =>
      text
        .split(call)
        .slice(1)
        .some((rest) => !/^[^"`;]*"[^"]+"/.test(rest)),
    );
    // The page has the lines of these files too. outage-log.ts gets its texts from its callers.
    const known = ["src/adapters/redis/link-keeper.ts", "src/outage-log.ts", "src/telemetry/traces/open.ts"];
    expect(others.map(({ path }) => path).sort()).toEqual(known);
  });
});

function sources(): { readonly path: string; readonly text: string }[] {
  return readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith("table.ts"))
    .map((path) => ({ path: `src/${path}`, text: pageText(`src/${path}`) }));
}

test("docs/gateways.md has every file of deploy/gateways, and a test runs it", () => {
  const files = readdirSync(join(root, "deploy/gateways")).sort();
  const rows = [...pageText("docs/gateways.md").matchAll(/^\| \S+ \| (`[^|]+`) \| [^|]+ \|$/gm)];
  const documented = rows.flatMap(([, names = ""]) => names.replaceAll("`", "").split(", "));
  expect(documented.toSorted()).toEqual(files);
  const tests = readdirSync(join(root, "test/gateways")).map((name) => pageText(`test/gateways/${name}`));
  const untested = files.filter((file) => !tests.some((text) => new RegExp(`files: \\[.*"${file}"`).test(text)));
  // The page says so.
  expect(untested).toEqual(["apisix.yaml"]);
});

describe("errors", () => {
  test("docs/http-and-errors.md lists exactly the error reasons of the table", () => {
    const page = pageText("docs/http-and-errors.md");
    const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| ([A-Z_]+) \| (\d+) \| (.*) \|$/gm)].map(([, reason, code, httpStatus, text]) => [
      reason,
      { code, httpStatus: Number(httpStatus), text },
    ]);
    expect(Object.fromEntries(rows)).toEqual(errorTable);
  });

  test("every reason of the table is used somewhere", () => {
    const texts = sources()
      .map(({ text }) => text)
      .join("\n");
    for (const reason of Object.keys(errorTable)) expect(texts, reason).toMatch(new RegExp(`"${reason}"|\\.${reason}\\b`));
  });
});

test("docs/callers.md lists exactly the methods of each role", () => {
  const rows = [...pageText("docs/callers.md").matchAll(/^\| (`\w+`|any) \|.*\| (all|`Admin.*`) \|$/gm)];
  const documented = rows.map(([, role = "", methods = ""]) => [
    role.replaceAll("`", ""),
    methods.replaceAll("`", "").split(", ").toSorted(),
  ]);
  const methodsOf = (role: Role) => tableMethods.filter((method) => accessOf(method)?.includes(role)).map(({ name }) => name);
  const named = roles.filter((role) => role !== "admin").map((role) => [role, methodsOf(role).toSorted()]);
  const ofAny = tableMethods.filter((method) => accessOf(method) === "caller").map(({ name }) => name);
  expect(documented).toEqual([["admin", ["all"]], ...named, ["any", ofAny.toSorted()]]);
  const isOfAdmin = (method: DescMethod) => typeof accessOf(method) === "string" || accessOf(method)?.includes("admin");
  expect(tableMethods.filter((method) => !isOfAdmin(method))).toEqual([]);
});

test("docs/http-and-errors.md names every extension of the reference", () => {
  const section = /### Extensions of the reference\n([\s\S]*?)\n## /.exec(pageText("docs/http-and-errors.md"))?.[1] ?? "";
  const { paths, components } = JSON.parse(pageText("gen/openapi.json")) as OpenApi;
  const operations = Object.values(paths).flatMap((path) => Object.values(path));
  const added = operations.filter((operation) => operation["x-keywright-extension"]);
  expect(added.length).toBeGreaterThan(0);
  for (const { operationId, tags } of added) {
    const method = operationId.charAt(0).toUpperCase() + operationId.slice(1);
    expect(
      [method, ...tags].some((name) => section.includes(`\`${name}\``)),
      method,
    ).toBe(true);
  }
  const shared = Object.entries(components.schemas).filter(([name, schema]) => name !== "Status" && !schema["x-keywright-extension"]);
  for (const [name, { properties = {} }] of shared) {
    const fields = Object.entries(properties).filter(([, field]) => field["x-keywright-extension"] && name !== "GetJwksResponse");
    for (const [field] of fields) expect(section, `${name}.${field}`).toContain(`\`${field}\``);
  }
});

test("the configuration files in docs/configuration.md are valid", () => {
  const files = blocksOf("docs/configuration.md", "yaml");
  expect(files.length).toBeGreaterThan(0);
  for (const text of files) expect(() => loadConfig({}, { path: "keywright.yaml", text })).not.toThrow();
});

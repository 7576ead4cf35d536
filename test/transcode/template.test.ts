import { describe, expect, test } from "vitest";
import { parseTemplate } from "../../src/transcode/template-parser.ts";
import { TemplateError } from "../../src/transcode/template-scanner.ts";
import { createTrie } from "../../src/transcode/trie.ts";

describe("parseTemplate", () => {
  test.each<[string, string[], string, [string, number, number | undefined, boolean][]]>([
    ["/v1/shelves", ["v1", "shelves"], "", []],
    ["/v1/jwks.json", ["v1", "jwks.json"], "", []],
    ["/v1/shelves:list", ["v1", "shelves"], "list", []],
    ["/v1/*/x/**", ["v1", "*", "x", "**"], "", []],
    ["/v1/{a}", ["v1", "*"], "", [["a", 1, 2, false]]],
    ["/v1/{a=*}", ["v1", "*"], "", [["a", 1, 2, false]]],
    ["/v1/{a=b}", ["v1", "b"], "", [["a", 1, 2, false]]],
    ["/{a.b_c.d1}:x.y", ["*"], "x.y", [["a.b_c.d1", 0, 1, false]]],
    ["/v1/{a=x/*/y/**}:go", ["v1", "x", "*", "y", "**"], "go", [["a", 1, undefined, true]]],
    ["/v1/{a=x/*}/{b}/z", ["v1", "x", "*", "*", "z"], "", [["a", 1, 3, true], ["b", 3, 4, false]]], // biome-ignore format: a row
    ["/v1/{a=**}", ["v1", "**"], "", [["a", 1, undefined, true]]],
    ["/v1/a%20b", ["v1", "a%20b"], "", []],
  ])("%s", (text, segments, verb, variables) => {
    const parsed = parseTemplate(text);
    expect(parsed.segments).toEqual(segments);
    expect(parsed.verb).toBe(verb);
    expect(parsed.variables.map((v) => [v.fieldPath, v.start, v.end, v.isMulti])).toEqual(variables);
  });

  test.each([
    ["", 'expected "/" at column 1 of ""'],
    ["v1", 'expected "/" at column 1 of "v1"'],
    ["/", 'expected a segment at column 2 of "/"'],
    ["/v1/", 'expected a segment at column 5 of "/v1/"'],
    ["/v1//x", 'expected a segment at column 5 of "/v1//x"'],
    ["/v1/**/x", '"**" must be the last segment, but there is another at column 8 of "/v1/**/x"'],
    ["/{a=**}/x", '"**" must be the last segment, but there is another at column 9 of "/{a=**}/x"'],
    ["/***", 'expected "/", ":" or the end at column 4 of "/***"'],
    ["/{a", 'expected "}" at column 4 of "/{a"'],
    ["/{}", 'expected a field name at column 3 of "/{}"'],
    ["/{a.}", 'expected a field name at column 5 of "/{a.}"'],
    ["/{1a}", 'expected a field name at column 3 of "/{1a}"'],
    ["/{a={b}}", 'a variable inside a variable at column 5 of "/{a={b}}"'],
    ["/{a}/{a}", '"a" is bound twice at column 7 of "/{a}/{a}"'],
    ["/{a=}", 'expected a segment at column 5 of "/{a=}"'],
    ["/v1/x:", 'expected a verb at column 7 of "/v1/x:"'],
    ["/v1/x:y:z", 'expected "/", ":" or the end at column 8 of "/v1/x:y:z"'],
    ["/v1:x/y", 'expected "/", ":" or the end at column 6 of "/v1:x/y"'],
    ["/v1/x?y", 'expected "/", ":" or the end at column 6 of "/v1/x?y"'],
    ["/v1/%zz", 'expected a segment at column 5 of "/v1/%zz"'],
    ["/v1/../x", 'a dot segment, which no path may have, at column 5 of "/v1/../x"'],
  ])("refuses %s", (text, message) => {
    expect(() => parseTemplate(text)).toThrow(new TemplateError(message));
  });
});

describe("trie", () => {
  const trie = createTrie<string>();
  const templates = [
    "GET /v1/a",
    "GET /v1/*",
    "POST /v1/*",
    "GET /v1/a/b",
    "GET /v1/*/c",
    "GET /v1/a/*:go",
    "GET /v1/a:go",
    "GET /v1/a/**",
    "DELETE /v1/a/*/d",
    "* /any",
    "POST /any",
    "GET /deep/*/*/*",
    "GET /deep/*/x/**",
    "GET /stat/**:stat",
  ];
  for (const rule of templates) {
    const [method = "", template = ""] = rule.split(" ");
    trie.insert(parseTemplate(template), method, rule);
  }

  test.each<[string, string | undefined]>([
    ["GET /v1/a", "GET /v1/a"],
    ["HEAD /v1/a", "GET /v1/a"],
    ["POST /v1/a", "POST /v1/*"],
    ["GET /v1/b", "GET /v1/*"],
    ["GET /v1/a/b", "GET /v1/a/b"],
    ["GET /v1/a/c", "GET /v1/a/**"],
    ["GET /v1/b/c", "GET /v1/*/c"],
    ["GET /v1/b/d", undefined],
    ["GET /v1/a/x:go", "GET /v1/a/*:go"],
    ["GET /v1/a:go", "GET /v1/a:go"],
    ["GET /v1/a:stop", undefined],
    ["GET /v1/a:", undefined],
    ["GET /v1/x:y", undefined],
    ["GET /v1/a:b/c", "GET /v1/*/c"],
    ["GET /v1/a/x:y:go", "GET /v1/a/*:go"],
    ["GET /v1/a/x%3Ago", "GET /v1/a/**"],
    ["DELETE /v1/a/x/d", "DELETE /v1/a/*/d"],
    ["GET /v1/a/x/d", "GET /v1/a/**"],
    ["GET /v1/a/", undefined],
    ["GET /v1/a/x/", undefined],
    ["GET /v1/a//x", undefined],
    ["GET /v1/a/./x", undefined],
    ["GET /v1/a/../x", undefined],
    ["GET /v1/a/%2e%2E/x", undefined],
    ["GET /v1/a/.%2e", undefined],
    ["GET /v1/.", undefined],
    ["GET /v1/%2e", undefined],
    ["GET /v1/...", "GET /v1/*"],
    ["GET /v1/.a", "GET /v1/*"],
    ["GET /v1/%2ea", "GET /v1/*"],
    ["GET /v1/%61", "GET /v1/*"],
    ["GET //v1/a", undefined],
    ["GET /v1", undefined],
    ["GET /", undefined],
    ["GET ", undefined],
    ["GET v1/a", undefined],
    ["GET *", undefined],
    ["PATCH /any", "* /any"],
    ["POST /any", "POST /any"],
    ["GET /deep/1/x/2", "GET /deep/*/x/**"],
    ["GET /deep/1/y/2", "GET /deep/*/*/*"],
    ["GET /deep/1/x", "GET /deep/*/x/**"],
    ["GET /deep/1/x/2/3", "GET /deep/*/x/**"],
    ["GET /stat/a/b:stat", "GET /stat/**:stat"],
    ["GET /stat:stat", "GET /stat/**:stat"],
    ["GET /stat/a/b", undefined],
  ])("%s", (request, expected) => {
    const [method = "", path = ""] = request.split(" ");
    expect(trie.find(path, method)).toBe(expected);
  });

  test("methodsAt collects the methods of every template that matches the path", () => {
    expect([...trie.methodsAt("/v1/a")].sort()).toEqual(["GET", "POST"]);
    expect([...trie.methodsAt("/v1/a/x/d")].sort()).toEqual(["DELETE", "GET"]);
    expect([...trie.methodsAt("/v2")]).toEqual([]);
  });

  test("the same shape twice is refused, whatever the names of its variables", () => {
    expect(trie.insert(parseTemplate("/v1/{x}"), "GET", "again")).toBe(false);
    expect(trie.insert(parseTemplate("/v1/{x}"), "PUT", "new")).toBe(true);
  });
});

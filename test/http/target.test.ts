import { expect, test } from "vitest";
import { targetOf } from "../../src/http/target.ts";

test.each([
  ["/a/b", "/a/b", ""],
  ["/a?", "/a", ""],
  ["/a?x=1&y=?/z", "/a", "x=1&y=?/z"],
  ["/a%2Fb/../c?%3f", "/a%2Fb/../c", "%3f"],
  ["//host/a", "//host/a", ""],
  ["/http://host/a", "/http://host/a", ""],
  ["http://host/a?x=1", "/a", "x=1"],
  ["HTTPS://host:443/a", "/a", ""],
  ["http://host", "/", ""],
  ["http://host?x=1", "/", "x=1"],
  ["http://user@host/a", "/a", ""],
  ["http://host//a", "//a", ""],
  ["ftp://host/a", "ftp://host/a", ""],
  ["*", "*", ""],
  ["", "", ""],
])("%j has the path %j and the query %j", (url, path, query) => {
  expect(targetOf({ url })).toEqual({ path, query });
});

test("a request without a target asks for the root", () => {
  expect(targetOf({})).toEqual({ path: "/", query: "" });
});

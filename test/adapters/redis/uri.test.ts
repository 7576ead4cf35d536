import { describe, expect, test } from "vitest";
import { parseRedisUri } from "../../../src/adapters/redis/uri.ts";
import { openRedisSharedCache } from "../../support/redis-cache.ts";

const plain = {
  topology: "single",
  seeds: [{ host: "cache", port: 6379 }],
  login: {},
  sentinelLogin: {},
  masterName: "",
  db: 0,
  tls: false,
};
const two = [
  { host: "a", port: 1 },
  { host: "b", port: 26379 },
];

test.each([
  ["redis://cache", plain],
  ["redis://cache/", plain],
  ["redis://cache:6380/3", { ...plain, seeds: [{ host: "cache", port: 6380 }], db: 3 }],
  ["redis://[::1]:6380", { ...plain, seeds: [{ host: "::1", port: 6380 }] }],
  ["rediss://app:p%40ss%2Fword:@cache", { ...plain, tls: true, login: { username: "app", password: "p@ss/word:" } }],
  ["redis://:pass@cache", { ...plain, login: { password: "pass" } }],
  ["redis+sentinel://a:1,b/main", { ...plain, topology: "sentinel", seeds: two, masterName: "main" }],
  [
    "redis+sentinel://app:pass@a:1,b/my%20main/2?tls=true&sentinel_password=p%2Bq",
    {
      ...plain,
      topology: "sentinel",
      seeds: two,
      login: { username: "app", password: "pass" },
      sentinelLogin: { password: "p+q" },
      masterName: "my main",
      db: 2,
      tls: true,
    },
  ],
  ["redis+cluster://a:1,b:26379", { ...plain, topology: "cluster", seeds: two }],
  ["redis+cluster://a:1,b:26379?tls=true", { ...plain, topology: "cluster", seeds: two, tls: true }],
])("%s", (uri, target) => {
  expect(parseRedisUri(uri)).toEqual(target);
});

describe("a malformed URI is refused, without repeating it", () => {
  test.each([
    "http://hush@cache",
    "redis://",
    "redis://app:hush@",
    "redis://hush@cache",
    "redis://app:hush@cache:0",
    "redis://app:hush@cache:70000",
    "redis://app:hush@cache:port",
    "redis://app:hush@a,b",
    "redis://app:hush@cache/one",
    "redis://app:hush@cache/1/2",
    "redis://app:%hush@cache",
    "redis://app:hush@cache?tls=true",
    "redis+sentinel://app:hush@a:1,b",
    "redis+sentinel://app:hush@a:1,,b/main",
    "redis+sentinel://a/main?tls=hush",
    "redis+sentinel://a/main?password=hush",
    "redis+cluster://app:hush@a/1",
    "redis+cluster://app:hush@a#b",
  ])("%s", async (uri) => {
    const error = (await openRedisSharedCache({ namespace: "test", uri }).then(
      () => null,
      (reason: unknown) => reason,
    )) as Error | null;
    expect(error?.message).toMatch(/^the URI of the Redis cache /);
    expect(error?.message).not.toContain("hush");
  });
});

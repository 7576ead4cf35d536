import { gzipSync } from "node:zlib";
import { type Arena, type Attack, authorization, sendAndJudge } from "./attack.ts";
import { damagedCredential } from "./credentials.ts";
import type { Random } from "./random.ts";
import { type Target, targetNamed, targets } from "./targets.ts";
import { invalidUtf8, nestedJson, oddJsonValue, oddText } from "./values.ts";

const withBody = targets.filter(({ hasBody }) => hasBody);
const withoutBody = targets.filter(({ hasBody }) => !hasBody);
const verify = targetNamed("AdminVerifyApiKey");
const selfRevoke = targetNamed("RevokeApiKey");

/** JSON/HTTP: bodies, members, query parameters and credentials. */
export const jsonAttacks: readonly Attack[] = [
  {
    name: "json: malformed body",
    weight: 10,
    run: (arena) => send(arena, "json: malformed body", arena.random.pick(withBody), malformedBody(arena.random)),
  },
  {
    name: "json: wrong types",
    weight: 16,
    run: (arena) => {
      const target = arena.random.pick(withBody);
      return send(arena, "json: wrong types", target, Buffer.from(bodyWithWrongTypes(arena.random, target)));
    },
  },
  {
    name: "json: update masks",
    weight: 4,
    run(arena) {
      const { random } = arena;
      const path = () =>
        random.pick([
          "*",
          "name",
          "scopes",
          "key_id",
          "status",
          "metadata.a.b",
          "issued_api_key.name",
          "a,,b",
          "__proto__",
          "nameX",
          oddText(random),
        ]);
      const mask = JSON.stringify(random.chance(0.5) ? `${path()},${path()}` : path());
      const resource = `{"name":${oddJsonValue(random)},"scopes":${random.pick(["[]", '["a","a"]', oddJsonValue(random)])}}`;
      const body = random.chance(0.5) ? `{"issued_api_key":${resource},"update_mask":${mask}}` : resource;
      const query = random.chance(0.5) ? `?update_mask=${encode(random, path())}` : "";
      return send(arena, "json: update masks", targetNamed("AdminUpdateIssuedApiKey"), Buffer.from(body), query);
    },
  },
  {
    name: "json: query parameters",
    weight: 10,
    run: (arena) => send(arena, "json: query parameters", arena.random.pick(withoutBody), undefined, oddQuery(arena.random)),
  },
  {
    name: "json: wrong credentials",
    weight: 12,
    run(arena) {
      const { random, key } = arena;
      const members = [`"credential":${JSON.stringify(damagedCredential(random, key.secret))}`];
      if (random.chance(0.2)) members.push(`"client_ip":${oddJsonValue(random)}`);
      if (random.chance(0.2)) members.push(`"required_scopes":${oddJsonValue(random)}`);
      if (random.chance(0.7))
        return send(arena, "json: wrong credentials", verify, Buffer.from(`{${members.join()}}`), "", cacheHeaders(random));
      members.push('"reason":"REVOCATION_REASON_KEY_COMPROMISE"');
      return send(arena, "json: wrong credentials", selfRevoke, Buffer.from(`{${members.join()}}`));
    },
  },
];

function send(
  arena: Arena,
  attack: string,
  target: Target,
  body: Buffer | undefined,
  query = "",
  more: [string, string][] = [],
): Promise<void> {
  const { random } = arena;
  const headers = authorization(arena);
  const keyId = random.chance(0.5)
    ? arena.key.keyId
    : random.pick(["01ARZ3NDEKTSV4RRFFQ69G5FAV", "x", "a".repeat(129), "%00", "%F0%9F%98%80", "%ff"]);
  const path = target.path.replace(/\{[^}]*\}/, target.method.name === "AdminRevokeApiKey" ? "01ARZ3NDEKTSV4RRFFQ69G5FAV" : keyId) + query;
  const isRotation = target.method.name === "AdminRotateIssuedApiKey" && keyId === arena.key.keyId;
  const safePath = isRotation ? path.replace(keyId, "01ARZ3NDEKTSV4RRFFQ69G5FAV") : path;
  const contentType: [string, string][] = body === undefined ? [] : [["content-type", oddContentType(random)]];
  const request = { method: target.httpMethod, path: safePath, headers: [...headers, ...contentType, ...more], ...(body && { body }) };
  return sendAndJudge(arena, attack, request, {});
}

function oddContentType(random: Random): string {
  if (random.chance(0.92)) return "application/json";
  return random.pick([
    "",
    "text/plain",
    "application/json; charset=utf-16",
    "application/json;;;=",
    "APPLICATION/JSON",
    "application/x-www-form-urlencoded",
    "*/*",
    "a".repeat(4000),
  ]);
}

function malformedBody(random: Random): Buffer {
  const whole = `{"name":"a","credential":"b","scopes":["a"],"metadata":{"a":[1,{"b":null}]},"ttl":"60s"}`;
  const build = random.pick<() => string | Buffer>([
    () => "",
    () => oddJsonValue(random),
    () => nestedJson(random),
    () => `{"metadata":${nestedJson(random)}}`,
    () => whole.slice(0, random.below(whole.length)),
    () => whole + random.pick(["}", ",", "x", whole, "\0", "\n\n//"]),
    () => `\ufeff${whole}`,
    () => `{"requests":[${"[],".repeat(300_000)}[]]}`,
    () => `{"metadata":{${'"a":9007199254740993,'.repeat(2000)}"a":1}}`,
    () => Buffer.from(whole, "utf16le"),
    () => Buffer.concat([Buffer.from('{"name":"'), random.pick(invalidUtf8), Buffer.from('"}')]),
    () => Buffer.concat([Buffer.from('{"'), random.pick(invalidUtf8), Buffer.from('":1}')]),
    () => random.bytes(random.below(200)),
    () => gzipSync(whole),
    () => `{"name":"${"a".repeat(random.pick([300_000, 1_048_500, 1_048_577, 1_200_000]))}"}`,
    () => `{${Array.from({ length: 5000 }, (_, index) => `"m${index}":1`).join()}}`,
    () => whole.replaceAll('"', "'"),
    () => whole.replace("60s", random.pick(["-1s", "1e3s", "999999999999999999s", "1.s", "0x10s", "1mo1y1mo", "½s", "1h".repeat(500)])),
    () => JSON.stringify(oddText(random)),
  ]);
  const body = build();
  // Only sometimes megabytes: the run is about variety, not bandwidth.
  return Buffer.from(body.length > 100_000 && random.chance(0.8) ? body.slice(0, 5000) : body);
}

/** A JSON object with one to three of the request's members, at any depth, each with a wrong type. */
function bodyWithWrongTypes(random: Random, target: Target): string {
  const members = Array.from({ length: 1 + random.below(3) }, () => {
    const { path } = random.pick(target.fields);
    const names = random.chance(0.3) ? path.map(camelCase) : path;
    return names.reduceRight((value, name, depth) => {
      const member = `${JSON.stringify(name)}:${value}`;
      return depth === 0 ? member : random.chance(0.1) ? `[{${member}}]` : `{${member}}`;
    }, oddJsonValue(random));
  });
  if (random.chance(0.1)) members.push(`${JSON.stringify(oddText(random))}:1`);
  return `{${members.join()}}`;
}

function oddQuery(random: Random): string {
  const name = () =>
    random.pick([
      "page_size",
      "pageSize",
      "page_token",
      "filter",
      "key_id",
      "a.b.c",
      "",
      "%00",
      "%ff",
      "__proto__",
      "metadata.x",
      "$alt",
      "page_size[]",
    ]);
  const value = () =>
    random.pick([
      "-1",
      "0",
      "1",
      "99999999999",
      "1e3",
      "%zz",
      "%",
      "%ff%fe",
      "+",
      "status%3DKEY_STATUS_ACTIVE",
      'actor_id%3D"x"%20AND%20actor_id%3D"y"',
      `${"(".repeat(200)}x`,
      `actor_id%3D"${"%5C".repeat(200)}`,
      "a%20OR%20b",
      "NOT%20NOT%20x%3A*",
      random.bytes(40).toString("base64url"),
      random.word(1025),
      encode(random, oddText(random)).slice(0, 3000),
    ]);
  return `?${Array.from({ length: 1 + random.below(4) }, () => name() + random.pick(["=", "", "=="]) + value()).join(random.pick(["&", "&&", ";"]))}`;
}

function cacheHeaders(random: Random): [string, string][] {
  if (random.chance(0.7)) return [];
  return [["cache-control", random.pick(["no-cache", "no-store", "NO-STORE, max-age=x", ",,,", "=", "a".repeat(3000)])]];
}

function encode(random: Random, text: string): string {
  return random.chance(0.5) ? encodeURIComponent(text.toWellFormed()) : text.replaceAll(/[^\x21-\x7e]|[#?]/g, "%");
}

function camelCase(name: string): string {
  return name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

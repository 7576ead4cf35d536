import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from "jose";
import { expect, test } from "vitest";
import { createIssuerKeys } from "../../../src/adapters/jwk-sets/issuer-keys.ts";
import { createJwtCallers } from "../../../src/rpc/admission/jwt-callers.ts";
import { signedClaims } from "../../../src/rpc/admission/jwt-signature.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const issuer = "https://issuer.example";
const audience = "keywright";

function callersOf(jwksUri: string, monotonicMs: () => number) {
  const keys = createIssuerKeys({
    ...{ name: "corp", issuer, jwksUri, allowsPrivateAddresses: true },
    ...{ monotonicMs, log: { info: () => {}, warn: () => {} } },
  });
  const rules = [
    { when: [{ claim: "sub", test: "equals" as const, values: ["tool"] }], roles: ["verifier"], tenants: null, scopeCeiling: null },
  ];
  const limits = { audience: [audience], algorithms: ["ES256"], maxLifeMs: 3_600_000 };
  return createJwtCallers([{ name: "corp", issuer, ...limits, rules, keys }], Date.now);
}

function signed(
  privateKey: CryptoKey,
  header: { readonly kid?: string; readonly alg?: string } = {},
  intended = audience,
): Promise<string> {
  const claims = new SignJWT({}).setIssuer(issuer).setAudience(intended).setSubject("tool").setJti(crypto.randomUUID());
  return claims
    .setIssuedAt()
    .setExpirationTime("5m")
    .setProtectedHeader({ alg: "ES256", ...header })
    .sign(privateKey);
}

test("while too many tokens wait for the keys of their issuer, further ones are told to try again, and none is invalid", async () => {
  const held: ServerResponse[] = [];
  const server = createServer((_request, response) => void held.push(response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const jwksUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const callers = callersOf(jwksUri, () => performance.now());

  const token = await signed(privateKey, { kid: "new" });
  const waiting = Array.from({ length: 1000 }, (_, index) => callers.callerOf(token, `digest ${index}`));
  expect(await callers.callerOf(token, "one more")).toBe("unavailable");

  await expect.poll(() => held.length).toBe(1);
  held[0]?.end(JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "new" }] }));
  for (const caller of await Promise.all(waiting)) expect(caller).toMatchObject({ name: "corp:tool", roles: ["verifier"] });
  expect(await callers.callerOf(token, "one more")).toMatchObject({ name: "corp:tool" });
  server.close();
});

test("keys are found without a key id, of several with one key id, and after they were replaced", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "keys.json");
  const [first, second, third] = await Promise.all([1, 2, 3].map(() => generateKeyPair("ES256", { extractable: true })));
  if (first === undefined || second === undefined || third === undefined) throw new Error("no keys");
  const serve = async (keys: readonly (readonly [CryptoKey, string?])[]) => {
    const set = keys.map(async ([key, kid]) => ({ ...(await exportJWK(key)), ...(kid !== undefined && { kid }) }));
    writeFileSync(file, JSON.stringify({ keys: await Promise.all(set) }));
  };
  let nowMs = 0;
  const callers = callersOf(pathToFileURL(file).href, () => nowMs);
  const outcomeOf = async (token: string) => {
    const outcome = await callers.callerOf(token, token);
    return typeof outcome === "string" ? outcome : "found";
  };

  await serve([
    [first.publicKey, "same"],
    [second.publicKey, "same"],
  ]);
  for (const { privateKey } of [first, second]) {
    expect(await outcomeOf(await signed(privateKey))).toBe("found");
    expect(await outcomeOf(await signed(privateKey, { kid: "same" }))).toBe("found");
    expect(await outcomeOf(await signed(privateKey, {}, "another audience"))).toBe("invalid");
  }

  // A token without a key id waits for newer keys if no known key has signed it.
  await serve([[third.publicKey]]);
  nowMs += 10_000;
  expect(await outcomeOf(await signed(third.privateKey))).toBe("found");
  nowMs += 10_000;
  expect(await outcomeOf(await signed(second.privateKey, { kid: "same" }))).toBe("invalid");

  // A key that was replaced under its key id is fetched in the background.
  await serve([[first.publicKey, "same"]]);
  nowMs += 10_000;
  expect(await outcomeOf(await signed(first.privateKey, { kid: "same" }))).toBe("found");
  await serve([[second.publicKey, "same"]]);
  nowMs += 10_000;
  const token = await signed(second.privateKey, { kid: "same" });
  await expect.poll(() => outcomeOf(token)).toBe("found");
  expect(await outcomeOf(await signed(first.privateKey, { kid: "same" }))).toBe("invalid");
});

test("a key that the issuer removed while no token came is not accepted once more", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "keys.json");
  const [removed, added] = await Promise.all([generateKeyPair("ES256"), generateKeyPair("ES256")]);
  const serve = async (key: CryptoKey, kid: string) => writeFileSync(file, JSON.stringify({ keys: [{ ...(await exportJWK(key)), kid }] }));
  let nowMs = 0;
  const callers = callersOf(pathToFileURL(file).href, () => nowMs);
  const outcomeOf = async (token: string) => {
    const outcome = await callers.callerOf(token, token);
    return typeof outcome === "string" ? outcome : "found";
  };
  await serve(removed.publicKey, "removed");
  const remembered = await signed(removed.privateKey, { kid: "removed" });
  expect(await outcomeOf(remembered)).toBe("found");
  await serve(added.publicKey, "added");
  nowMs += 320_000;
  const late = [remembered, await signed(removed.privateKey, { kid: "removed" }), await signed(added.privateKey, { kid: "added" })];
  expect(await Promise.all(late.map(outcomeOf))).toEqual(["invalid", "invalid", "found"]);
  // Without an answer of the issuer, its last keys count.
  writeFileSync(file, "");
  nowMs += 320_000;
  expect(await outcomeOf(await signed(added.privateKey, { kid: "added" }))).toBe("found");
});

test("a token that names no key waits for no keys that were just fetched, and not at all if they have not changed", async () => {
  const [known, forger] = await Promise.all([generateKeyPair("ES256"), generateKeyPair("ES256")]);
  const set = { keys: [await exportJWK(known.publicKey)] };
  let fetchCount = 0;
  let isDown = false;
  const server = createServer((_request, response) => {
    fetchCount += 1;
    response.writeHead(isDown ? 503 : 200).end(JSON.stringify(set));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  let nowMs = 0;
  // A fetch that waits for its turn would wait for two seconds of this clock, which does not go on.
  const callers = callersOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, () => nowMs);
  const forged = async () => callers.callerOf(await signed(forger.privateKey), crypto.randomUUID());

  expect(await callers.callerOf(await signed(known.privateKey), "genuine")).toMatchObject({ name: "corp:tool" });
  expect(await Promise.all(Array.from({ length: 1001 }, forged))).toEqual(Array(1001).fill("invalid"));
  expect(fetchCount).toBe(1);
  nowMs += 2001;
  expect(await Promise.all([forged(), forged()])).toEqual(["invalid", "invalid"]);
  expect(fetchCount).toBe(2);
  isDown = true;
  nowMs += 2001;
  expect([await forged(), await forged()]).toEqual(["unavailable", "unavailable"]);
  expect(fetchCount).toBe(3);
  server.close();
});

test("the discovery document is read again, so that an issuer can move its keys while it serves the old ones", async () => {
  await using at = await issuerWithDiscovery();
  expect(await at.kidsAt(0)).toEqual(["/old"]);
  at.path = "/new";
  expect([await at.kidsAt(10_000), await at.kidsAt(300_001)]).toEqual([["/old"], ["/new"]]);
  // When the document is due, the last URL is read beside it.
  expect(at.asked.slice(0, 3)).toEqual([discovery, "/old", "/old"]);
  expect(at.asked.slice(3).toSorted()).toEqual([discovery, "/new", "/old"].toSorted());
  at.broken = ["/new", discovery];
  for (const timeMs of [310_000, 320_000, 330_000]) await expect(at.kidsAt(timeMs)).rejects.toThrow("status 503");
  // One line each for the outage.
  expect(at.lines).toHaveLength(2);
});

test("while only the discovery document cannot be read, the keys at the last URL are fetched", async () => {
  await using at = await issuerWithDiscovery();
  expect(await at.kidsAt(0)).toEqual(["/old"]);
  at.broken = [discovery];
  at.kid = "new key";
  for (const timeMs of [310_000, 700_000]) expect(await at.kidsAt(timeMs)).toEqual(["new key"]);
  expect(at.lines).toEqual([{ issuer: "corp", reason: "status 503" }]);
  // The document is asked again with the next fetch.
  at.broken = [];
  at.path = "/new";
  at.kid = "";
  expect(await at.kidsAt(710_000)).toEqual(["/new"]);
  expect(at.lines.slice(1)).toEqual([{ issuer: "corp", outageMs: 400_000 }]);
});

test("if no keys are at the last URL any more, the discovery document is read again", async () => {
  await using at = await issuerWithDiscovery();
  expect(await at.kidsAt(0)).toEqual(["/old"]);
  at.path = "/new";
  at.pages = ["/old"];
  await expect(at.kidsAt(3000)).rejects.toThrow("not JSON");
  expect(await at.kidsAt(6000)).toEqual(["/new"]);
});

test("if the issuer hangs, the discovery document and the keys share one timeout", async () => {
  await using at = await issuerWithDiscovery();
  expect(await at.kidsAt(0)).toEqual(["/old"]);
  at.hanging = true;
  const fetching = at.kidsAt(320_000);
  await expect.poll(() => at.asked.slice(2).toSorted()).toEqual([discovery, "/old"].toSorted());
  at.end();
  expect(await fetching).toEqual(["/old"]);
});

const discovery = "/.well-known/openid-configuration";

/** An issuer whose key has the path of its keys as its id, unless `kid` is set, and a client of it. */
async function issuerWithDiscovery() {
  const held: ServerResponse[] = [];
  const state = {
    path: "/old",
    kid: "",
    broken: [] as string[],
    pages: [] as string[],
    hanging: false,
    asked: [] as string[],
    lines: [] as unknown[],
  };
  const server = createServer(({ url = "" }, response) => {
    state.asked.push(url);
    if (state.hanging) return void held.push(response);
    const document = { issuer: at, jwks_uri: `${at}${state.path}` };
    response.writeHead(state.broken.includes(url) ? 503 : 200);
    if (state.pages.includes(url)) response.end("<html>");
    else response.end(JSON.stringify(url === discovery ? document : { keys: [{ kty: "EC", kid: state.kid || url }] }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let nowMs = 0;
  const line = (fields: unknown) => void state.lines.push(fields);
  const log = { info: line, warn: line };
  const keys = createIssuerKeys({ name: "corp", issuer: at, jwksUri: null, allowsPrivateAddresses: true, monotonicMs: () => nowMs, log });
  return Object.assign(state, {
    async kidsAt(timeMs: number) {
      nowMs = timeMs;
      return [...(await keys.fetchNewer()).kids];
    },
    end() {
      for (const response of held.splice(0)) response.destroy();
    },
    async [Symbol.asyncDispose]() {
      server.close();
    },
  });
}

test("the keys of many tokens are tried in turns of the event loop", async () => {
  const pairs = await Promise.all([1, 2, 3].map(() => generateKeyPair("ES256")));
  const keys = await Promise.all(pairs.map(async ({ publicKey }) => ({ ...(await exportJWK(publicKey)), alg: "ES256" })));
  const options = { issuer, audience: [audience], algorithms: ["ES256"] };
  const token = await signed((await generateKeyPair("ES256")).privateKey);
  const keySet = { keys, kids: new Set<string>() };
  // Imports the keys, which has turns of its own.
  await signedClaims(options, keySet, token, Date.now);
  let turns = 0;
  const count = () => {
    turns += 1;
    counting = setImmediate(count);
  };
  let counting = setImmediate(count);
  expect(await signedClaims(options, keySet, token, Date.now)).toBe("unsigned");
  clearImmediate(counting);
  expect(turns).toBeGreaterThanOrEqual(2);
});

test.each(["ES256", "ES512", "EdDSA", "RS256", "PS384"])(
  "of many keys of %s without a key id, the first eight are tried",
  async (algorithm) => {
    const [first, ninth, other] = await Promise.all([1, 2, 3].map(() => generateKeyPair(algorithm)));
    if (first === undefined || ninth === undefined || other === undefined) throw new Error("no keys");
    // Keys of RSA take long to make, so those between are one key.
    const pairs = [first, ...Array.from({ length: 7 }, () => other), ninth];
    const keys = await Promise.all(pairs.map(async ({ publicKey }) => ({ ...(await exportJWK(publicKey)), alg: algorithm })));
    const keySet = { keys, kids: new Set<string>() };
    const options = { issuer, audience: [audience], algorithms: [algorithm] };
    const outcomes = [0, 7, 8].map(async (index) => {
      const { privateKey } = pairs[index] as (typeof pairs)[number];
      return signedClaims(options, keySet, await signed(privateKey, { alg: algorithm }), Date.now);
    });
    const found = expect.objectContaining({ sub: "tool" });
    expect(await Promise.all(outcomes)).toEqual([found, found, "unsigned"]);
  },
);

import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GatewayName, gatewayProgram } from "../../scripts/test-gateways.ts";
import { type Answer, type AskOptions, ask } from "./ask.ts";
import { type Lab, type Received, type Recipe, startLab } from "./lab.ts";

/** The differences between gateways. The table in docs/gateways.md has the same. */
export interface Differences {
  /** The status if Keywright is down, and if it does not answer in time. Null: see test/witnesses/traefik-slow.witness.ts. */
  readonly dead: number;
  readonly slow: number | null;
  /** The status for two Authorization headers. */
  readonly twoHeaders: number;
  /** The length of a credential that passes. */
  readonly longest: number;
  /** The status for a credential of 20,000 characters. */
  readonly tooLong: number;
  /** Whether the end user gets Keywright's body of a refusal, or the gateway's own. */
  readonly ownBody: boolean;
  /** False if end users do not see the rest of a key's limit while their requests pass. */
  readonly showsLimits: boolean;
  /** Whether headers that begin with X-Keywright- but are not in docs/gateways.md pass. */
  readonly passesOthers?: boolean;
  /** Which of the protocols websocket, h2c and other an end user may ask the upstream for with Upgrade. */
  readonly upgrades: readonly string[];
  /** Adds a process of Keywright that is stopped: a text of the recipe, and its replacement. Absent: not tested. */
  readonly stopped?: Readonly<Record<string, string>>;
}

const identity = ["actor", "key-id", "scopes", "tenant", "metadata", "identity"].map((name) => `x-keywright-${name}`);

/** Cases that only one recipe has. */
export type OwnCases = (lab: () => Lab) => void;

/** All cases that a recipe must pass. Skipped, with the reason, if the gateway is not available; in CI that is a failure. */
export async function describeGateway(recipe: Recipe, differences: Differences, more: OwnCases = () => {}): Promise<void> {
  const reason = await missing(recipe.program);
  if (reason !== null) {
    test.skip(`${recipe.files[0]}: needs ${recipe.program}: ${reason}`, () => {});
    return;
  }
  describe(`${recipe.files[0]}`, () => cases(recipe, differences, more));
}

async function missing(program: GatewayName): Promise<string | null> {
  try {
    await gatewayProgram(program);
    return null;
  } catch (error) {
    if (process.env.CI !== undefined) throw error;
    return (error as Error).message;
  }
}

function cases(recipe: Recipe, differences: Differences, more: OwnCases): void {
  const { dead, slow, twoHeaders, longest, tooLong, ownBody, showsLimits, passesOthers = false, upgrades } = differences;
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab(recipe);
  });
  afterAll(() => lab?.[Symbol.asyncDispose]());
  more(() => lab);

  const { stopped } = differences;
  if (stopped !== undefined) {
    test("while one of two processes of Keywright is stopped, all requests pass", async () => {
      await using two = await startLab({ ...recipe, replace: (folder) => ({ ...recipe.replace?.(folder), ...stopped }) });
      const { secret } = await two.issue({ scopes: ["orders"] });
      const asked = () => ask(two.port, "/", { headers: { authorization: `Bearer ${secret}` } });
      for (let round = 0; round < 5; round += 1) {
        const answers = await Promise.all(Array.from({ length: 8 }, asked));
        expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
      }
    });
  }

  const get = (path: string, secret?: string, { headers = {}, ...options }: AskOptions = {}): Promise<Answer> => {
    const shown: Record<string, string> = secret === undefined ? {} : { authorization: `Bearer ${secret}` };
    return ask(lab.port, path, { ...options, headers: { ...shown, ...headers } });
  };
  /** Returns the response, and what the upstream received of the request. */
  const through = async (path: string, secret?: string, options?: AskOptions): Promise<[Answer, Received | undefined]> => {
    const before = lab.received.length;
    const answer = await get(path, secret, options);
    return [answer, lab.received[before]];
  };
  const refused = async (status: number, path: string, secret?: string, options?: AskOptions): Promise<Answer> => {
    const [answer, received] = await through(path, secret, options);
    expect([answer.status, received], lab.output()).toEqual([status, undefined]);
    return answer;
  };

  test("a valid key passes, with its identity and without the key; headers of the same names from end users do not", async () => {
    const metadata = { team: "blue" };
    const { keyId, secret } = await lab.issue({
      actor_id: "émile",
      scopes: ["orders", "files"],
      metadata,
      rate_limit_policy: { quota: "100", window: "60s" },
    });
    const spoofed = Object.fromEntries([...identity, "x-keywright-token", "x-keywright-other"].map((name) => [name, "spoofed"]));
    const options = { method: "POST", body: "hello", headers: { ...spoofed, "content-type": "text/plain" } };
    const [answer, received] = await through("/orders/1%20?cost=0&x=%2F/../", secret, options);
    expect([answer.status, answer.body], lab.output()).toEqual([200, "from upstream"]);
    expect(received).toMatchObject({ method: "POST", url: "/orders/1%20?cost=0&x=%2F/../", body: "hello" });
    const { headers } = received as Received;
    expect(headers).toMatchObject({
      "x-keywright-actor": "%C3%A9mile",
      "x-keywright-key-id": keyId,
      "x-keywright-scopes": "orders files",
      "x-keywright-tenant": "default",
      "x-keywright-metadata": Buffer.from(JSON.stringify(metadata)).toString("base64url"),
    });
    // The route demands no identity, so it must be absent or empty, and not the end user's.
    expect(headers["x-keywright-identity"] ?? "").toBe("");
    expect([headers.authorization, headers["x-api-key"], headers["x-keywright-token"]]).toEqual([undefined, undefined, undefined]);
    expect(JSON.stringify(headers)).not.toContain(secret);
    expect(headers["x-keywright-other"]).toBe(passesOthers ? "spoofed" : undefined);
    expect(answer.headers.ratelimit).toEqual(showsLimits ? expect.stringMatching(/^"key";r=99;/) : undefined);
  });

  test("names that some upstreams treat as the removed ones do not pass either", async () => {
    const { secret } = await lab.issue({ scopes: ["orders"] });
    const plain = ["X-Keywright-Actor", "X-Original-URL", "X-Rewrite-URL"];
    const names = plain.flatMap((name) => [name.replaceAll("-", "_"), name.replace("-", "_"), name.replace(/-(?=\w+$)/, "_")]);
    const headers = Object.fromEntries(names.map((name) => [name, "spoofed"]));
    const [answer, received] = await through("/", secret, { headers });
    expect(JSON.stringify(received?.headers ?? {}), answer.body).not.toContain("spoofed");
  });

  test("an end user cannot remove its identity, the token or the key by naming them as connection headers", async () => {
    const { keyId, secret } = await lab.issue({ actor_id: "someone", scopes: ["orders"] });
    const ours = "close, X-Keywright-Actor, X-Keywright-Key-Id";
    for (const connection of [ours, `${ours}, X-Keywright-Token, Authorization, X-Forwarded-For`]) {
      const [answer, received] = await through("/", secret, { headers: { connection } });
      if (received !== undefined) expect(received.headers).toMatchObject({ "x-keywright-actor": "someone", "x-keywright-key-id": keyId });
      // An upstream that is a proxy itself would take them off.
      expect(received?.headers.connection ?? "").not.toMatch(/keywright/i);
      expect(answer.status).toBeLessThan(500);
    }
  });

  /** Returns the Upgrade header that the upstream receives of this one. A list is sent as several lines. */
  const upgraded = async (secret: string, upgrade: string | string[]): Promise<string | undefined> => {
    const ofWebSocket = { "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-version": "13" };
    const [answer, received] = await through("/", secret, { headers: { connection: "Upgrade", upgrade, ...ofWebSocket } });
    expect([200, 400, 403], `${upgrade}: ${lab.output()}`).toContain(answer.status);
    return received?.headers.upgrade;
  };

  test("a connection becomes another protocol only where the table says so, because nothing on it is checked afterwards", async () => {
    const { secret } = await lab.issue({ scopes: ["orders"] });
    const passed: unknown[] = [];
    for (const upgrade of ["websocket", "h2c", "other"]) passed.push(await upgraded(secret, upgrade));
    expect(passed.filter((name) => name !== undefined)).toEqual(upgrades);
  });

  test("no other protocol passes beside one that may, on a line of its own or in a list", async () => {
    const { secret } = await lab.issue({ scopes: ["orders"] });
    for (const other of ["h2c", "other"].filter((name) => !upgrades.includes(name))) {
      for (const upgrade of [
        [other, "websocket"],
        ["websocket", other],
        `${other}, websocket`,
        `websocket, ${other}`,
        `WebSocket,${other}`,
      ]) {
        expect([undefined, "websocket"], JSON.stringify(upgrade)).toContain((await upgraded(secret, upgrade))?.toLowerCase());
      }
    }
  });

  test("a route has its own demands: scopes, cost, and an identity token for its audience", async () => {
    const { secret } = await lab.issue({ scopes: ["files"], rate_limit_policy: { quota: "100", window: "60s" } });
    const [answer, received] = await through("/files/1", secret);
    const shown = showsLimits ? expect.stringMatching(/^"key";r=98;/) : undefined;
    expect([answer.status, answer.headers.ratelimit], lab.output()).toEqual([200, shown]);
    const claims = JSON.parse(Buffer.from(String(received?.headers["x-keywright-identity"]).split(".")[1] ?? "", "base64url").toString());
    expect(claims).toMatchObject({ aud: "files", scope: "files" });
    await refused(403, "/orders", secret);
  });

  test("demands in the end user's path have no effect", async () => {
    const { secret } = await lab.issue({ scopes: ["files"] });
    for (const path of [
      "/scopes=files",
      "/-/scopes=files",
      "/files/../orders",
      "/files/%2e%2e/orders",
      "/files/..%2forders",
      "/%2e%2e/scopes=files",
      "/x?/files/",
    ]) {
      expect((await through(path, secret))[1], path).toBeUndefined();
    }
    const { secret: ofOrders } = await lab.issue({ scopes: ["orders"] });
    for (const path of [
      "/files/1",
      "/%66iles/1",
      "//files/1",
      "/./files/1",
      "/x/../files/1",
      "/x/%2e%2e/files/1",
      "/files%2f1",
      "/files/..%2forders",
      "/files/%2e%2e/orders",
      "/files/..",
      "/files/..\\orders",
      "/files/..//orders",
      "/files/..?/",
      "/files/%zz",
      "/%zz/../files/1",
      "/x%/../files/1",
    ]) {
      expect(fileOf((await through(path, ofOrders))[1]), path).toBeUndefined();
    }
    const named = { "x-original-url": "/files/1", "x-rewrite-url": "/files/1" };
    const [{ status }, received] = await through("/orders", ofOrders, { headers: named });
    expect([status, Object.keys(received?.headers ?? {}).filter((name) => Object.hasOwn(named, name))]).toEqual([200, []]);
  });

  test("missing, unknown and revoked keys get 401 with the challenge; a revocation takes effect at once", async () => {
    const { keyId, secret } = await lab.issue({ scopes: ["orders"] });
    expect((await get("/", secret)).status, lab.output()).toBe(200);
    await lab.call("AdminRevokeApiKey", { key_id: keyId, reason: "REVOCATION_REASON_KEY_COMPROMISE" });
    expect((await refused(401, "/", secret)).headers["www-authenticate"]).toBe('Bearer realm="keywright", error="invalid_token"');
    expect((await refused(401, "/")).headers["www-authenticate"]).toBe('Bearer realm="keywright"');
    expect(isOurs((await refused(401, "/", "unknown")).body)).toBe(!ownBody);
    await refused(401, "/", undefined, {
      method: "OPTIONS",
      headers: { origin: "https://page.example", "access-control-request-method": "GET" },
    });
  });

  test("X-Api-Key works too, but two headers do not", async () => {
    const { secret } = await lab.issue({ scopes: ["orders"] });
    const [answer, received] = await through("/", undefined, { headers: { "x-api-key": secret } });
    expect([answer.status, received?.headers["x-api-key"]], lab.output()).toEqual([200, undefined]);
    await refused(401, "/", secret, { headers: { "x-api-key": secret } });
    await refused(twoHeaders, "/", undefined, { headers: { authorization: [`Bearer ${secret}`, "Bearer other"] } });
    await refused(twoHeaders, "/", undefined, { headers: { authorization: ["Bearer other", `Bearer ${secret}`] } });
  });

  test("a key for some addresses works from these, and an end user's X-Forwarded-For is ignored", async () => {
    const near = await lab.issue({ scopes: ["orders"], ip_restriction: { allowed_cidrs: ["127.0.0.2/32"] } });
    const far = await lab.issue({ scopes: ["orders"], ip_restriction: { allowed_cidrs: ["192.0.2.0/24"] } });
    const localAddress = "127.0.0.2";
    expect((await get("/", near.secret, { localAddress })).status, lab.output()).toBe(200);
    await refused(403, "/", far.secret, { localAddress });
    await refused(403, "/", far.secret, { localAddress, headers: { "x-forwarded-for": "192.0.2.7", "x-real-ip": "192.0.2.7" } });
    await refused(403, "/", near.secret, { localAddress: "127.0.0.3", headers: { "x-forwarded-for": "127.0.0.2" } });
  });

  test("a request over the limit gets 429 with Retry-After", async () => {
    const { secret } = await lab.issue({ scopes: ["orders"], rate_limit_policy: { quota: "1", window: "3600s" } });
    expect((await get("/", secret)).status, lab.output()).toBe(200);
    const { headers } = await refused(429, "/", secret);
    expect(Number(headers["retry-after"])).toBeGreaterThan(0);
    expect([headers.ratelimit, headers["ratelimit-policy"]]).toEqual([expect.stringMatching(/^"key";r=0;/), '"key";q=1;w=3600']);
  });

  test(`a credential of ${longest} characters passes, and one of 20,000 is refused`, async () => {
    expect((await get("/", await longToken(lab, longest))).status, lab.output()).toBe(200);
    await refused(tooLong, "/", "k".repeat(20_000));
  });

  test("headers that together are too large are refused as the end user's fault", async () => {
    const { status } = await get("/", "k".repeat(9000), { headers: { "x-other": "x".repeat(9000) } });
    expect([401, 431], lab.output()).toContain(status);
  });

  test("without Keywright nothing passes, and with it everything works again", async () => {
    const { secret } = await lab.issue({ scopes: ["orders"] });
    expect((await get("/", secret)).status, lab.output()).toBe(200);
    lab.network.set("silent");
    if (slow !== null) await refused(slow, "/", secret);
    lab.network.set("cut");
    await refused(dead, "/", secret);
    await refused(dead, "/");
    lab.network.set("pass");
    await expect.poll(async () => (await get("/", secret)).status, { timeout: 10_000, interval: 50 }).toBe(200);
  });
}

/** Returns whether a body is that of a refusal of Keywright. */
function isOurs(body: string): boolean {
  return body.startsWith("{") && JSON.stringify((JSON.parse(body) as JsonObject).details).includes("CREDENTIAL_INVALID");
}

/** Returns the path if an upstream could treat it as one below /files/. */
function fileOf(received: Received | undefined): string | undefined {
  if (received === undefined) return undefined;
  if (received.url.startsWith("/files/")) return received.url;
  // Malformed escapes are left, as many upstreams do.
  const decoded = received.url.replace(/%[\da-f]{2}/gi, (octet) => String.fromCharCode(Number.parseInt(octet.slice(1), 16)));
  const path = new URL(`http://x${decoded.replace(/\/+/g, "/")}`).pathname;
  return path.startsWith("/files/") ? received.url : undefined;
}

/** Derives a token with about this many characters, for the scope `orders`. */
async function longToken(lab: Lab, chars: number): Promise<string> {
  // Base64 has four characters per three bytes, and claims other than the scopes have some 500.
  const padding = Math.floor(((chars - 500) * 3) / 4);
  const scopes = ["orders", ...Array.from({ length: Math.ceil(padding / 200) }, (_, index) => `${index}-`.padEnd(199, "x"))];
  const { secret } = await lab.issue({ scopes });
  const { token } = await lab.call("AdminDeriveToken", { credential: secret });
  const text = String((token as { token: string }).token);
  expect(Math.abs(text.length - chars)).toBeLessThan(300);
  return text;
}

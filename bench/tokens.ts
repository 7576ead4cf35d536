import { createPublicKey, randomBytes, verify as verifySignature } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { generateJwkSet } from "../src/config/signing-key.ts";
import { createCredentials } from "../src/core/credential.ts";
import { deriveSubkeys } from "../src/core/subkeys.ts";
import { readJwkSets } from "../src/core/token/jwk-set.ts";
import { createTokens } from "../src/core/token/tokens.ts";
import { createUlid } from "../src/core/ulid.ts";
import { createTenantSettings } from "../src/service/tenants/tenant-settings.ts";
import { createVerify } from "../src/service/verify.ts";
import { keyRecord } from "../test/support/key-record.ts";
import { noLimits } from "../test/support/no-limits.ts";
import { tokenFacts } from "../test/support/token-facts.ts";
import { startChild } from "./child.ts";
import { http1Load } from "./http1-load.ts";
import { http1Request } from "./http1-request.ts";
import type { Load } from "./load.ts";
import { median } from "./median.ts";

/**
 * `node bench/tokens.ts [rounds] [slice in ms]` measures JWTs verified for the first time in this process (signature, root's record,
 * verdict) against bare node:crypto on the same signatures. Then it measures tokens that were seen before, over JSON/HTTP, against a cached
 * key on the same server. All take turns.
 */
const rounds = Number(process.argv[2] ?? 7);
const sliceMs = Number(process.argv[3] ?? 700);

await unseen();
await seen();

async function unseen(): Promise<void> {
  const tokensASlice = 50;
  const clock = () => facts.issueTimeMs;
  const facts = tokenFacts();
  const record = keyRecord({ keyId: facts.rootKeyId, scopes: facts.scopes, actorId: facts.actorId, createTimeMs: facts.issueTimeMs });
  const secrets = { current: "s".repeat(32), retired: [] };
  const keys = await readJwkSets([await generateJwkSet()]);
  const tokens = createTokens({ issuer: facts.issuer, keys: () => keys, macaroonKeys: deriveSubkeys(secrets, "macaroon-root") });
  const verify = createVerify({
    ...noLimits,
    credentials: createCredentials(secrets, { secret: "kw", public: "kw_pub", retired: [] }, randomBytes),
    tokens,
    reader: { read: async () => ({ record, outcome: "hit" }) },
    usage: { record: () => {} },
    clock,
    derivedTokens: "rooted",
    tenantSettings: createTenantSettings(),
    clockSkewMs: 0,
  });
  const circumstances = { endUserAddress: () => null, statedAddress: null, requiredScopes: ["read"], audience: "", cost: 1 };
  const publicKey = createPublicKey(keys.signer.publicKey.export({ type: "spki", format: "pem" }));
  const timedUs = async (count: number, work: (index: number) => unknown) => {
    const begunMs = performance.now();
    for (let index = 0; index < count; index += 1) await work(index);
    return ((performance.now() - begunMs) / count) * 1000;
  };
  const [bareUs, ourUs]: [number[], number[]] = [[], []];
  // Short slices in turns, so that other load of the machine affects both alike. In the first ones V8 still compiles.
  for (let slice = -20; slice < rounds * 20; slice += 1) {
    const texts: string[] = [];
    for (let count = 0; count < tokensASlice; count += 1) {
      texts.push(await tokens.mintJwt({ ...facts, tokenId: createUlid(clock(), randomBytes) }));
    }
    const signed = texts.map((text) => {
      const end = text.lastIndexOf(".");
      return { input: Buffer.from(text.slice(0, end)), signature: Buffer.from(text.slice(end + 1), "base64url") };
    });
    const bare = await timedUs(tokensASlice, (index) => {
      const { input, signature } = signed[index] as (typeof signed)[number];
      if (!verifySignature(null, input, publicKey, signature)) throw new Error("bare verify refused");
    });
    const ours = await timedUs(tokensASlice, async (index) => {
      const credential = texts[index] as string;
      const { verdict } = await verify("default", { credential, ...circumstances }, "none");
      if (!verdict.isValid) throw new Error(verdict.code);
    });
    if (slice < 0) continue;
    bareUs.push(bare);
    ourUs.push(ours);
  }
  const ratios = bareUs.map((us, index) => us / (ourUs[index] as number));
  console.info(
    `bare Ed25519 verify ${median(bareUs).toFixed(1)} us; a JWT never seen ${median(ourUs).toFixed(1)} us; ratio ${median(ratios).toFixed(2)}`,
  );
}

async function seen(): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), "keywright-bench-"));
  const server = await startChild(resolve(import.meta.dirname, "../src/main.ts"), [], { KEYWRIGHT_PORT: "0", KEYWRIGHT_DATA_DIR: dataDir });
  try {
    const bearer = (await readFile(join(dataDir, "admin-token"), "utf8")).trim();
    const post = async (path: string, body: object) => {
      const headers = { authorization: `Bearer ${bearer}`, "content-type": "application/json" };
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
      if (!response.ok) throw new Error(await response.text());
      return (await response.json()) as { secret: string; token: { token: string } };
    };
    const { secret } = await post("/v2alpha1/admin/issuedApiKeys", {
      name: "bench",
      actor_id: "user_1",
      scopes: ["read", "write"],
      metadata: { team: "bench" },
    });
    const derive = async (algorithm: string) =>
      (await post("/v2alpha1/admin/apiKeys:derive", { credential: secret, algorithm: `TOKEN_ALGORITHM_${algorithm}`, ttl: "1d" })).token
        .token;
    const contenders: { name: string; load: Load; perSecond: number[] }[] = [];
    for (const [name, credential] of [
      ["a cached key", secret],
      ["a JWT seen before", await derive("JWT")],
      ["a macaroon seen before", await derive("MACAROON")],
    ] as const) {
      const request = http1Request("/v2alpha1/admin/apiKeys:verify", bearer, { credential });
      contenders.push({ name, load: await http1Load(server.port, [request], 16), perSecond: [] });
    }
    // In the first rounds V8 still compiles.
    for (let round = -4; round < rounds; round += 1) {
      for (const { load, perSecond } of contenders) {
        const begunMs = performance.now();
        const requests = await load.run(sliceMs);
        if (round >= 0) perSecond.push((requests / (performance.now() - begunMs)) * 1000);
      }
    }
    const base = median(contenders[0]?.perSecond ?? []);
    for (const { name, load, perSecond } of contenders) {
      load.close();
      console.info(
        `${name.padEnd(24)}${median(perSecond).toFixed(0).padStart(8)} a second; ratio ${(median(perSecond) / base).toFixed(2)}`,
      );
    }
  } finally {
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

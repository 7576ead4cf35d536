import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { openStore } from "../src/adapters/open.ts";
import { createApp } from "../src/composition/app.ts";
import type { Parts } from "../src/composition/given.ts";
import { completeSecrets } from "../src/config/bootstrap.ts";
import { loadConfig } from "../src/config/load.ts";
import { Failure } from "../src/error/failure.ts";
import type { KeyStore } from "../src/ports/key-store.ts";
import { createLog } from "../src/telemetry/log.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const adminToken = "t".repeat(32);
const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** Starts the app in this process, on SQLite in a new folder. */
async function start(overrides: Partial<Parts>, settings: Readonly<Record<string, string>> = {}, folder = temporaryFolder()) {
  cleanUps.push(folder.remove);
  const environment = {
    KEYWRIGHT_DATA_DIR: folder.path,
    KEYWRIGHT_PORT: "0",
    KEYWRIGHT_METRICS_PORT: "0",
    KEYWRIGHT_ADMIN_TOKEN: adminToken,
    KEYWRIGHT_DRAIN_TIMEOUT: "0s",
    ...settings,
  };
  const { config, given } = loadConfig(environment);
  const { secrets } = await completeSecrets(config, given, randomBytes);
  const lines: string[] = [];
  const log = createLog("info", { write: (line) => void lines.push(line) });
  const app = await createApp(config, secrets, log, "0.0.0", overrides);
  cleanUps.push(() => app.close().catch(() => {}));
  const { url, metricsUrl } = await app.listen(config.metrics);

  const post = async (path: string, body: object) => {
    const response = await fetch(`${url}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const retryAfter = response.headers.get("retry-after");
    return { status: response.status, retryAfter, body: (await response.json()) as Record<string, unknown> };
  };
  return {
    app,
    url,
    metricsUrl: metricsUrl as string,
    folder,
    lines,
    issue: async (body: object = {}) => (await post("/v2alpha1/admin/issuedApiKeys", body)).body.secret as string,
    verify: (credential: string) => post("/v2alpha1/admin/apiKeys:verify", { credential }),
  };
}

/** The real SQLite store, with some of its operations replaced. */
function replacing(operations: (store: KeyStore) => Partial<KeyStore>): Partial<Parts> {
  return {
    async openStore(...given) {
      const { store, shareable } = await openStore(...given);
      return { store: { ...store, ...operations(store) }, shareable };
    },
  };
}

async function isReachable(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  );
}

test("runs on another clock", async () => {
  let aheadMs = 0;
  const { issue, verify } = await start({ clock: () => Date.now() + aheadMs });
  const secret = await issue({ ttl: "3600s" });
  expect((await verify(secret)).body).toMatchObject({ is_valid: true });
  aheadMs = 3_601_000;
  expect((await verify(secret)).body).toMatchObject({ is_valid: false, error_code: "VERIFICATION_ERROR_EXPIRED" });
});

test("runs on another store", async () => {
  let isLost = false;
  const { url, issue, verify } = await start(
    replacing((store) => ({
      get: (...given) => (isLost ? Promise.reject(new Failure("STORE_UNAVAILABLE")) : store.get(...given)),
    })),
    { KEYWRIGHT_CACHE: "none" },
  );
  const secret = await issue();
  expect(await verify(secret)).toMatchObject({ status: 200, body: { is_valid: true } });
  isLost = true;
  expect(await verify(secret)).toMatchObject({ status: 503, retryAfter: "1" });
  const introspection = await fetch(`${url}/v2alpha1/oauth2/introspect`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminToken}` },
    body: new URLSearchParams({ token: secret }),
  });
  expect(introspection.status).toBe(503);
  expect(await introspection.json()).not.toHaveProperty("active");
});

test("if a part cannot be closed, the others are closed and the error is reported", async () => {
  const steps: string[] = [];
  const { app, url, metricsUrl, issue, verify } = await start(
    replacing((store) => ({
      touch(...given) {
        steps.push("last uses written");
        return store.touch(...given);
      },
      async close() {
        steps.push((await isReachable(url)) ? "closed while served" : "closed");
        await store.close();
        throw new Error("the disk is gone");
      },
    })),
  );
  const { body } = await verify(await issue());
  expect(body).toMatchObject({ is_valid: true });
  expect([await isReachable(url), await isReachable(metricsUrl)]).toEqual([true, true]);

  await expect(app.close()).rejects.toThrow(/^the disk is gone$/);
  expect(steps.slice(-2)).toEqual(["last uses written", "closed"]);
  // This is closed after the store.
  expect(await isReachable(metricsUrl)).toBe(false);
});

test("a start that the store prevents gives the reason", async () => {
  const unavailable = new Failure("STORE_UNAVAILABLE", { cause: new Error("MongoDB did not answer") });
  const failing = replacing(() => ({ acceptSecrets: () => Promise.reject(unavailable) }));
  await expect(start(failing)).rejects.toMatchObject({ name: "StartError", message: "KEYWRIGHT_STORE: MongoDB did not answer" });
});

test("if the start fails, everything that was opened is closed", async () => {
  const folder = temporaryFolder();
  let openStores = 0;
  const counting: Partial<Parts> = {
    async openStore(...given) {
      const { store, shareable } = await openStore(...given);
      openStores += 1;
      const close = async () => {
        openStores -= 1;
        await store.close();
      };
      const broken = {
        ...store,
        close,
        get audit(): never {
          throw new Error("a part is broken");
        },
      };
      return { store: broken, shareable };
    },
  };
  await expect(start(counting, {}, folder)).rejects.toThrow(/a part is broken/);
  expect([openStores, existsSync(join(folder.path, "keywright.db"))]).toEqual([0, true]);
  // Only one process at a time can use an SQLite file, so opening it again shows that it was closed.
  const { issue, verify } = await start({}, {}, folder);
  expect((await verify(await issue())).body).toMatchObject({ is_valid: true });
});

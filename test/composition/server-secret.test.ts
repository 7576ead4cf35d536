import { expect, test } from "vitest";
import { checkServerSecret } from "../../src/composition/server-secret.ts";

test("a start without the secret of the last start is logged as a warning", async () => {
  const lines: string[] = [];
  const log = {
    info: (_: object, text: string) => void lines.push(text),
    warn: (_: object, text: string) => void lines.push(`warn: ${text}`),
  };
  const secrets = { current: "a".repeat(32), retired: [] };
  for (const acceptance of ["accepted", "older"] as const) {
    await checkServerSecret({ tokenSalt: new Uint8Array(32), acceptSecrets: async () => acceptance }, secrets, log);
  }
  expect(lines).toEqual([
    "warn: the newest server secret of the store is not listed in KEYWRIGHT_SECRETS_RETIRED, so its keys are not found",
  ]);
});

import { createHmac, createSecretKey } from "node:crypto";
import { expect, test } from "vitest";
import { addCaveat, isSignedBy, signIdentifier } from "../../src/core/token/macaroon-chain.ts";
import { macaroonFromText, macaroonToText } from "../../src/core/token/macaroon-format.ts";
import { describeWithPython } from "../support/python.ts";

await describeWithPython("pymacaroons", (runPython) => {
  const secret = "this is the key";
  const rootKey = createSecretKey(createHmac("sha256", "macaroons-key-generator".padEnd(32, "\0")).update(secret).digest());

  test("reads what we write, with the same signature, and we read what it writes", async () => {
    const ours = addCaveat(signIdentifier(rootKey, Buffer.from("é".repeat(100))), Buffer.from("scope = read"));
    const theirs = await runPython(
      `
import sys
from pymacaroons import Macaroon, Verifier
macaroon = Macaroon.deserialize(sys.argv[1])
macaroon.add_first_party_caveat("time < 2026-01-01T00:00:00Z")
verifier = Verifier()
verifier.satisfy_exact("scope = read")
verifier.satisfy_exact("time < 2026-01-01T00:00:00Z")
assert verifier.verify(macaroon, sys.argv[2])
print(macaroon.serialize())
`,
      [macaroonToText(ours).slice("mc_v1_".length), secret],
    );
    const read = macaroonFromText(`mc_v1_${theirs}`);
    expect(read).toEqual(addCaveat(ours, Buffer.from("time < 2026-01-01T00:00:00Z")));
    expect(read !== null && isSignedBy(rootKey, read)).toBe(true);
  });
});

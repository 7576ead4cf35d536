import { expect, test } from "vitest";
import { deriveSecretMarks, deriveSubkeys } from "../../src/core/subkeys.ts";

const salt = new Uint8Array(32);
const [a, b] = ["a".repeat(32), "b".repeat(32)] as const;

test("a mark depends on the secret and on the store's salt, and is the same whether the secret is current or retired", () => {
  const marks = deriveSecretMarks({ current: a, retired: [{ secret: b, expireTimeMs: null }] }, salt);
  expect(deriveSecretMarks({ current: b, retired: [{ secret: a, expireTimeMs: 0 }] }, salt)).toEqual({
    current: marks.retired[0],
    retired: [marks.current],
  });
  expect(marks.current).not.toBe(marks.retired[0]);
  expect(deriveSecretMarks({ current: a, retired: [] }, new Uint8Array(32).fill(1)).current).not.toBe(marks.current);
});

test("a mark is so short that other secrets have it too, and is no part of a subkey", () => {
  const secrets = { current: a, retired: [] };
  const { current } = deriveSecretMarks(secrets, salt);
  expect(current).toMatch(/^[0-9a-f]{4}$/);
  const marks = Array.from(
    { length: 1000 },
    (_, index) => deriveSecretMarks({ current: `${index}`.padStart(32, "s"), retired: [] }, salt).current,
  );
  expect(new Set(marks).size).toBeLessThan(1000);
  for (const purpose of ["tag", "import", "macaroon-root", "page-token"] as const) {
    for (const withSalt of ["", salt]) {
      expect(deriveSubkeys(secrets, purpose, withSalt)[0].key.export().toString("hex").startsWith(current)).toBe(false);
    }
  }
});

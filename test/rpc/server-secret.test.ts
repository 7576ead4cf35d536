import { expect, test } from "vitest";
import { ConfigError } from "../../src/config/problems.ts";
import { startApi } from "../support/api.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const [first, second, third] = ["first", "second", "third"].map((name) => `the ${name} server secret long enough`) as [
  string,
  string,
  string,
];

test("a start with none of the store's server secrets is refused; one that replaces a former one is not", async () => {
  const folder = temporaryFolder();
  const start = (current: string, retired = "") => {
    const settings = { KEYWRIGHT_SECRET: current, ...(retired !== "" && { KEYWRIGHT_SECRETS_RETIRED: retired }) };
    return startApi("grpc", { dataDir: folder.path, env: settings });
  };
  const verify = async (credential: string, current: string, retired?: string) => {
    await using api = await start(current, retired);
    const { is_valid, error_code } = await api.verify({ credential });
    return is_valid === true ? "valid" : error_code;
  };
  const refused = async (current: string, retired?: string) => {
    const error = await start(current, retired).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).problems).toEqual([expect.stringMatching(/^KEYWRIGHT_SECRET: .*KEYWRIGHT_SECRETS_RETIRED/)]);
    for (const secret of [first, second, third]) expect((error as ConfigError).message).not.toContain(secret);
  };
  try {
    // Without keys there is nothing to lose.
    await (await start(third))[Symbol.asyncDispose]();
    const { secret } = await (async () => {
      await using api = await start(first);
      return await api.issue();
    })();
    await refused(second);
    await refused(second, third);
    expect(await verify(secret, first, second)).toBe("valid");
    // It was retired before it was ever current.
    await refused(second);
    expect(await verify(secret, second, first)).toBe("valid");
    expect(await verify(secret, first, second)).toBe("valid");
    expect(await verify(secret, second)).toBe("VERIFICATION_ERROR_NOT_FOUND");
    await refused(third);
    // Its tags have ended, but it is still known which store this is.
    expect(await verify(secret, third, `${first};expires=2026-01-31T00:00:00Z`)).toBe("VERIFICATION_ERROR_NOT_FOUND");
    expect(await verify(secret, third, first)).toBe("valid");
  } finally {
    folder.remove();
  }
});

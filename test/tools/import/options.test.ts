import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isExposed, parseOptions } from "../../../tools/import/options.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const env = { KEYWRIGHT_ADMIN_TOKEN: "kwadm_sesame" };

describe("the command line", () => {
  test("needs only a file and a token", () => {
    expect(parseOptions(["keys.csv"], env)).toEqual({
      path: "keys.csv",
      format: "csv",
      url: "http://127.0.0.1:4430",
      token: "kwadm_sesame",
      tenant: null,
      statePath: "keys.csv.import-state.json",
      failuresPath: "keys.csv.failures.ndjson",
      skipLines: 0,
      inFlight: 4,
      dryRun: false,
    });
    expect(parseOptions(["-", "--format", "ndjson"], env)).toMatchObject({ path: null, statePath: null });
    expect(parseOptions(["keys.jsonl", "--dry-run"], {})).toMatchObject({ format: "ndjson", token: null, statePath: null });
    expect(parseOptions(["--help"], {})).toBeNull();
  });

  test("one file can be imported into several tenants", () => {
    expect(parseOptions(["keys.csv", "--tenant", "acme"], env)).toMatchObject({
      tenant: "acme",
      statePath: "keys.csv.acme.import-state.json",
      failuresPath: "keys.csv.acme.failures.ndjson",
    });
  });

  test("the token file takes precedence over the environment", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "token");
    writeFileSync(path, "kwadm_from_file\n");
    expect(parseOptions(["keys.csv", "--token-file", path], env)?.token).toBe("kwadm_from_file");
  });

  test.each([
    [[], "exactly one file is required"],
    [["a.csv", "b.csv"], "exactly one file is required"],
    [["keys.txt"], "--format"],
    [["keys.csv", "--token", "kwadm_sesame"], "Unknown option '--token'"],
    [["keys.csv", "--url", "ftp://host"], "--url must be an http or https URL"],
    [["keys.csv", "--url", "http://sesame@host"], "--url must not contain credentials"],
    [["keys.csv", "--url", "https://host/?token=sesame"], "--url must not contain a query"],
    [["keys.csv", "--tenant", "Acme"], "--tenant must be"],
    [["keys.csv", "--in-flight", "0"], "--in-flight must be a whole number from 1 to 32"],
    [["keys.csv", "--token-file", "/nowhere"], "/nowhere: cannot be read: no such file or folder (ENOENT)"],
  ])("%j is refused", (args, problem) => {
    const parse = () => parseOptions(args, env);
    expect(parse).toThrow(problem);
    expect(parse).not.toThrow(/sesame/);
  });

  test("a missing token is reported, and an invalid one is not shown", () => {
    expect(() => parseOptions(["keys.csv"], {})).toThrow("KEYWRIGHT_ADMIN_TOKEN");
    expect(() => parseOptions(["keys.csv"], { KEYWRIGHT_ADMIN_TOKEN: "open\nsesame" })).toThrow(
      /^the admin token contains invalid characters$/,
    );
  });

  test("only http to another machine exposes keys", () => {
    expect(["http://10.0.0.1:4430", "http://keys.internal"].map(isExposed)).toEqual([true, true]);
    expect(["http://127.0.0.1:1", "http://localhost", "http://[::1]:1", "https://keys.example"].map(isExposed)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});

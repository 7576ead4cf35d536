import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { run } from "./support/fetched.ts";
import { needs } from "./support/needs.ts";
import { npmPackages } from "./support/packages.ts";

const document = resolve(import.meta.dirname, "../../gen/openapi.json");

const packages = needs(npmPackages);

test("@redocly/cli finds neither an error nor a warning", async () => {
  const command = join(packages(), "node_modules/.bin/redocly");
  const env = { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };
  const config = join(import.meta.dirname, "redocly.yaml");
  const { stdout } = await run(command, ["lint", "--format", "json", "--config", config, document], { env });
  const { totals } = JSON.parse(stdout.slice(stdout.indexOf("{"))) as { totals: unknown };
  expect(totals).toMatchObject({ errors: 0, warnings: 0 });
});

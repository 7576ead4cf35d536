/** Tests the page at /docs in Chromium, which can reach only this server. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startServerHere } from "../support/server-here.ts";
import type { RunningServer } from "../support/server-process.ts";
import { findChromium } from "./support/chromium.ts";
import { needs } from "./support/needs.ts";
import { loadPackage, npmPackages } from "./support/packages.ts";

/** The part of playwright-core in use. Its types are not installed with this repository. */
interface Locator {
  click(): Promise<void>;
  fill(text: string): Promise<void>;
  first(): Locator;
  innerText(): Promise<string>;
  waitFor(): Promise<void>;
  scrollIntoViewIfNeeded(): Promise<void>;
}
interface Page {
  goto(url: string): Promise<unknown>;
  reload(): Promise<unknown>;
  locator(selector: string): Locator;
  evaluate<T>(script: string): Promise<T>;
  screenshot(options: { path: string; fullPage?: boolean }): Promise<unknown>;
  on(event: string, listener: (subject: { url(): string; text(): string; type(): string }) => void): void;
  close(): Promise<void>;
}
interface Browser {
  newPage(options: { colorScheme: "light" | "dark"; viewport: { width: number; height: number } }): Promise<Page>;
  close(): Promise<void>;
}

let server: RunningServer;
const fetchedBrowser = needs(async () => ({ chromium: await findChromium(), packages: await npmPackages() }));
let browser: Browser;
let axe: string;

beforeAll(async () => {
  if (fetchedBrowser() === undefined) return;
  server = await startServerHere();
  const { executable, libraries } = fetchedBrowser().chromium;
  const { chromium } = (await loadPackage("playwright-core")) as { chromium: { launch(options: object): Promise<Browser> } };
  axe = await readFile(join(fetchedBrowser().packages, "node_modules/axe-core/axe.min.js"), "utf8");
  const args = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"];
  browser = await chromium.launch({ executablePath: executable, args, env: { ...process.env, LD_LIBRARY_PATH: libraries } });
});
afterAll(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
});

/** Opens the page, and records its requests to other servers and the browser's complaints. */
async function openPage(colorScheme: "light" | "dark" = "light", url = server.url) {
  const page = await browser.newPage({ colorScheme, viewport: { width: 1280, height: 1000 } });
  const problems: string[] = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(`${url}/`) && !request.url().startsWith("data:")) problems.push(`asked ${request.url()}`);
  });
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  await page.goto(`${url}/docs`);
  await page.locator("html[data-ready] .opblock").first().waitFor();
  return { page, problems };
}

/** Opens an operation, sends the body, and returns the status and the body of the response. */
async function tryOut(page: Page, operationId: string, body?: object): Promise<{ status: string; json: Record<string, unknown> }> {
  const block = `#operations-ApiKeysService-${operationId}`;
  await page.locator(`${block} .opblock-summary-control`).click();
  if (body !== undefined) await page.locator(`${block} textarea.body-param__text`).fill(JSON.stringify(body));
  await page.locator(`${block} .execute`).click();
  const live = `${block} .live-responses-table`;
  await page.locator(`${live} .highlight-code code`).first().waitFor();
  const status = await page.locator(`${live} tbody .response-col_status`).first().innerText();
  return { status: status.trim(), json: JSON.parse(await page.locator(`${live} .highlight-code code`).first().innerText()) };
}

async function setToken(page: Page): Promise<void> {
  await page.locator("#kw-token").fill(server.adminToken);
  await page.locator("#kw-token-set").click();
}

test("a key is issued and verified through the page, with the network cut", async () => {
  const { page, problems } = await openPage();
  await setToken(page);
  const issued = await tryOut(page, "adminIssueApiKey");
  expect([issued.status, issued.json]).toEqual(["201", expect.objectContaining({ secret: expect.stringMatching(/^kw_v1_/) })]);
  const verified = await tryOut(page, "adminVerifyApiKey", { credential: issued.json.secret });
  expect([verified.status, verified.json]).toEqual(["200", expect.objectContaining({ is_valid: true, actor_id: "user_123" })]);
  expect(problems).toEqual([]);
  await page.close();
});

test("the page works behind a proxy that serves Keywright below a path of its own, also with a slash at the end", async () => {
  const proxy = createServer((incoming, response) => {
    const { method, headers, url = "" } = incoming;
    if (!url.startsWith("/keys/")) return void response.writeHead(418).end();
    const sent = request(`${server.url}${url.slice("/keys".length)}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    incoming.pipe(sent);
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  const { page, problems } = await openPage("light", `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/keys`);
  await setToken(page);
  expect((await tryOut(page, "adminIssueApiKey")).status).toBe("201");
  await page.goto(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}/keys/docs/`);
  await page.locator("html[data-ready] .opblock").first().waitFor();
  expect(problems).toEqual([]);
  await page.close();
  proxy.closeAllConnections();
  proxy.close();
});

test("the token is not stored, and is removed by a reload or on request", async () => {
  const { page } = await openPage();
  const stored = "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, document.getElementById('kw-token').value])";
  await setToken(page);
  expect(await page.evaluate(stored)).not.toContain(server.adminToken);
  await page.locator("#kw-token-forget").click();
  expect((await tryOut(page, "adminListIssuedApiKeys")).status).toBe("401");
  await setToken(page);
  await page.reload();
  await page.locator("html[data-ready] .opblock").first().waitFor();
  expect((await tryOut(page, "adminListIssuedApiKeys")).status).toBe("401");
  await page.close();
});

test.each(["light", "dark"] as const)("axe-core finds nothing serious in %s", async (scheme) => {
  const { page } = await openPage(scheme);
  await page.locator("#operations-ApiKeysService-adminIssueApiKey .opblock-summary-control").click();
  await page.locator("#operations-ApiKeysService-adminIssueApiKey .execute").waitFor();
  if (process.env.KEYWRIGHT_SCREENSHOTS !== undefined) {
    await page.screenshot({ path: join(process.env.KEYWRIGHT_SCREENSHOTS, `docs-${scheme}.png`) });
    await page.locator("#operations-ApiKeysService-adminIssueApiKey").scrollIntoViewIfNeeded();
    await page.screenshot({ path: join(process.env.KEYWRIGHT_SCREENSHOTS, `docs-${scheme}-operation.png`) });
  }
  await page.evaluate(axe);
  const { violations } = await page.evaluate<{
    violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
  }>("axe.run()");
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  expect(serious.map(({ id, nodes }) => `${id} (${nodes.length}): ${nodes[0]?.html} ${nodes[0]?.failureSummary}`)).toEqual([]);
  await page.close();
});

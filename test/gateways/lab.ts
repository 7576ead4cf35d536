import { type ChildProcess, spawn } from "node:child_process";
import { hash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { type GatewayName, gatewayProgram } from "../../scripts/test-gateways.ts";
import { createAuthority } from "../support/certificates.ts";
import { asObject } from "../support/clients/client.ts";
import { restHttp1 } from "../support/clients/rest.ts";
import { succeed } from "../support/clients.ts";
import { freePorts } from "../support/free-port.ts";
import { token } from "../support/role-tokens.ts";
import { startServerHere } from "../support/server-here.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { ask } from "./ask.ts";

/** A gateway with its recipe from deploy/gateways. */
export interface Recipe {
  readonly program: GatewayName;
  /** The first file is passed to the gateway. */
  readonly files: readonly string[];
  /** Arguments of the gateway. `config` is its file, in a folder of the test. */
  readonly arguments: (config: string, folder: string) => readonly string[];
  /** Further replacements that a test needs, besides addresses and paths: a text of the recipe, and its replacement. */
  readonly replace?: (folder: string) => Readonly<Record<string, string>>;
}

/** A request as received by an upstream. */
export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A gateway in front of an upstream, and Keywright behind a network that can be cut. */
export interface Lab extends AsyncDisposable {
  readonly port: number;
  /** The port of HAProxy's frontend for its Lua. */
  readonly otherPort: number;
  /** The network between the gateway and Keywright. */
  readonly network: TcpProxy;
  /** All requests that passed so far. */
  readonly received: readonly Received[];
  call(method: string, request: JsonObject): Promise<JsonObject>;
  issue(request?: JsonObject): Promise<{ readonly keyId: string; readonly secret: string }>;
  /** Returns the gateway's output. */
  output(): string;
}

const recipesDir = resolve(import.meta.dirname, "../../deploy/gateways");
const startTimeoutMs = 20_000;
const stopTimeoutMs = 5000;

export async function startLab(recipe: Recipe): Promise<Lab> {
  const closing = new AsyncDisposableStack();
  try {
    return await open(recipe, closing);
  } catch (error) {
    await closing.disposeAsync();
    throw error;
  }
}

async function open(recipe: Recipe, closing: AsyncDisposableStack): Promise<Lab> {
  const program = await gatewayProgram(recipe.program);
  const folder = await mkdtemp(join(tmpdir(), "keywright-gateway-"));
  closing.defer(() => rm(folder, { recursive: true, force: true }));
  const authority = createAuthority("test");
  const { cert, key } = authority.issue({ dns: ["keywright.internal"], ips: ["127.0.0.1"], subject: ["keywright"] });
  const paths = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem"), ca: join(folder, "ca.pem") };
  await Promise.all([writeFile(paths.cert, cert), writeFile(paths.key, key, { mode: 0o600 }), writeFile(paths.ca, authority.cert)]);

  const gatewayToken = token();
  const adminToken = token();
  const server = closing.use(
    await startServerHere({
      env: {
        KEYWRIGHT_ADMIN_TOKEN: adminToken,
        KEYWRIGHT_TLS_CERT_FILE: paths.cert,
        KEYWRIGHT_TLS_KEY_FILE: paths.key,
        KEYWRIGHT_TRUSTED_PROXIES: "127.0.0.1/32",
      },
      config: `admin_tokens:\n  - { name: gateway, sha256: ${hash("sha256", gatewayToken)}, roles: [verifier] }\n`,
    }),
  );
  const network = await startTcpProxy(server.port);
  closing.defer(() => network.close());
  const upstream = await startUpstream(closing);
  const [port = 0, otherPort = 0] = await freePorts(2);
  const replaced = {
    ...stated({ port, otherPort, keywright: network.port, upstream: upstream.port, token: gatewayToken, ca: paths.ca, folder }),
    ...recipe.replace?.(folder),
  };
  await copyRecipe(recipe, folder, replaced);
  const client = closing.use(restHttp1.open(server.url, adminToken, { ca: authority.cert, servername: "keywright.internal" } as never));
  const call: Lab["call"] = (method, request) => succeed(client, method, request);
  // The first verification of a process takes long on a busy machine, and gateways wait for half a second.
  await call("AdminVerifyApiKey", { credential: String((await call("AdminIssueApiKey", {})).secret) });
  const gateway = await startGateway(program, recipe.arguments(join(folder, recipe.files[0] as string), folder), port);
  closing.defer(gateway.stop);
  return {
    port,
    otherPort,
    network,
    received: upstream.received,
    call,
    async issue(request = {}) {
      const { issued_api_key, secret } = await call("AdminIssueApiKey", request);
      return { keyId: String(asObject(issued_api_key).key_id), secret: String(secret) };
    },
    output: gateway.output,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

interface Values {
  readonly port: number;
  readonly otherPort: number;
  readonly keywright: number;
  readonly upstream: number;
  readonly token: string;
  readonly ca: string;
  readonly folder: string;
}

/** The values that every recipe tells users to replace, as they are written in the files. */
function stated({ port, otherPort, keywright, upstream, token, ca, folder }: Values): Record<string, string> {
  return {
    "keywright.internal:4430": `127.0.0.1:${keywright}`,
    "address: keywright.internal, port_value: 4430": `address: 127.0.0.1, port_value: ${keywright}`,
    "orders.internal:8081": `127.0.0.1:${upstream}`,
    "address: orders.internal, port_value: 8081": `address: 127.0.0.1, port_value: ${upstream}`,
    "address: 0.0.0.0, port_value: 8080": `address: 127.0.0.1, port_value: ${port}`,
    "listen 8080;": `listen 127.0.0.1:${port};`,
    "http://:8080": `http://127.0.0.1:${port}`,
    '":8080"': `"127.0.0.1:${port}"`,
    "bind :8080": `bind 127.0.0.1:${port}`,
    "127.0.0.1:4431": `127.0.0.1:${otherPort}`,
    "the-token-of-this-gateway": token,
    "/etc/keywright/ca.pem": ca,
    "/etc/traefik/": `${folder}/`,
    "/etc/haproxy/": `${folder}/`,
  };
}

/** Fails if the recipe does not contain a text of the test's own replacements. */
async function copyRecipe({ files, replace }: Recipe, folder: string, replaced: Readonly<Record<string, string>>): Promise<void> {
  const texts = await Promise.all(files.map((name) => readFile(join(recipesDir, name), "utf8")));
  for (const text of ["the-token-of-this-gateway", "/etc/keywright/ca.pem", ...Object.keys(replace?.(folder) ?? {})]) {
    if (!texts.some((file) => file.includes(text))) throw new Error(`no file of the recipe has ${text}`);
  }
  for (const [index, name] of files.entries()) {
    const text = Object.entries(replaced).reduce((all, [from, to]) => all.replaceAll(from, to), texts[index] as string);
    await writeFile(join(folder, basename(name)), text);
  }
}

async function startUpstream(closing: AsyncDisposableStack): Promise<{ readonly port: number; readonly received: Received[] }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      received.push({ method, url, headers, body });
      response.end("from upstream");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.defer(async () => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });
  return { port: (server.address() as AddressInfo).port, received };
}

async function startGateway(program: Awaited<ReturnType<typeof gatewayProgram>>, args: readonly string[], port: number) {
  const child = spawn(program.path, args, {
    env: { PATH: process.env.PATH, HOME: tmpdir(), ...program.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => chunks.push(text));
  const output = () => chunks.join("");
  // Not SIGKILL first, because nginx would leave its workers running.
  const killWithUs = () => child.kill("SIGTERM");
  process.once("exit", killWithUs);
  const ended = once(child, "exit");
  const stop = async () => {
    child.kill("SIGTERM");
    const force = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
    await ended;
    clearTimeout(force);
    process.off("exit", killWithUs);
  };
  try {
    await listening(child, port);
  } catch (error) {
    await stop();
    throw new Error(`${String(error)}\n${output()}`);
  }
  return { output, stop };
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  const deadlineMs = Date.now() + startTimeoutMs;
  while (!(await isReady(port))) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error("the gateway exited before it was listening");
    if (Date.now() > deadlineMs) throw new Error(`the gateway sent no request within ${startTimeoutMs} ms`);
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

/** Returns whether the gateway asks Keywright, because nothing else answers with 401. */
async function isReady(port: number): Promise<boolean> {
  const answer = await ask(port, "/").catch(() => null);
  return answer?.status === 401;
}

import { once } from "node:events";
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { Agent, request } from "node:https";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openTls, type Tls } from "../../src/composition/tls.ts";
import { ConfigError } from "../../src/config/problems.ts";
import { connectionOf, type RequestHead } from "../../src/http/message.ts";
import { createListener, type Listener } from "../../src/server/listener.ts";
import { type Certificate, createAuthority, nameOf } from "../support/certificates.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { longTimes, quickLimits, until } from "./support.ts";

const servers = createAuthority("servers");
const clients = createAuthority("clients");
const laterClients = createAuthority("later clients");
/** PrintableString. */
const printableString = 0x13;
const leaf = servers.issue({ ips: ["127.0.0.1"] });

let folder: ReturnType<typeof temporaryFolder>;
let tls: Tls;
let listener: Listener;
let port: number;
let nowMs: number;
let logged: string[];
/** Answers the requests for `/held`. */
let held: (() => void)[];
let version = 0;

/** Writes the files as Kubernetes does: a link to a new folder replaces the link to the old one. */
async function putFiles(pair: { cert: Buffer; key: Buffer }, ca: Buffer, crl?: Buffer): Promise<void> {
  version += 1;
  await mkdir(join(folder.path, `v${version}`));
  for (const [name, text] of Object.entries({ ...pair, ca, ...(crl && { crl }) }))
    await writeFile(join(folder.path, `v${version}`, name), text);
  await symlink(`v${version}`, join(folder.path, "next"));
  await rename(join(folder.path, "next"), join(folder.path, "data"));
}

function check(): void {
  const write = (fields: Readonly<Record<string, unknown>>, message: string) =>
    void logged.push(`${message} ${fields.problem ?? fields.expires}`);
  tls.check(listener.replaceTls, { info: write, error: write });
}

beforeEach(async () => {
  folder = temporaryFolder();
  nowMs = Date.now();
  logged = [];
  held = [];
  await putFiles(leaf, clients.cert);
  await open(false);
});

async function open(hasRevocationLists: boolean): Promise<void> {
  const at = (name: string, setting: string) => ({ path: join(folder.path, "data", name), setting });
  const [certFile, keyFile] = [at("cert", "tls_cert_file"), at("key", "tls_key_file")];
  const clientCrlFile = hasRevocationLists ? at("crl", "tls_client_crl_file") : null;
  tls = openTls({ certFile, keyFile, clientCaFile: at("ca", "tls_client_ca_file"), clientCrlFile }, () => nowMs);
  listener = createListener({
    handler(message, response) {
      const connection = connectionOf(message as RequestHead) as object;
      const answer = () => void response.end(JSON.stringify(tls.certificates?.certificateOf(connection) ?? null));
      if (message.url === "/held") held.push(answer);
      else answer();
    },
    limits: { ...quickLimits, ...longTimes },
    tls: tls.material,
    certificates: tls.certificates,
  });
  ({ port } = await listener.listen("127.0.0.1", 0));
}
afterEach(async () => {
  await listener.drain(0);
  await rm(folder.path, { recursive: true });
});

const shown = (authority = clients, endsAt?: Date) => authority.issue({ dns: ["a.example"], ...(endsAt && { endsAt }) });
const named = expect.objectContaining({ name: "certificate:a.example" });

/** An HTTP/1.1 client with one connection. */
function http1Client(certificate?: Certificate) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: servers.cert, ...certificate });
  return {
    close: () => agent.destroy(),
    async get(path = "/"): Promise<{ answer: unknown; connection: string | undefined }> {
      const sent = request({ agent, host: "127.0.0.1", port, path }).end();
      const [response] = await once(sent, "response");
      let text = "";
      for await (const chunk of response.setEncoding("utf8")) text += chunk;
      return { answer: JSON.parse(text), connection: response.headers.connection };
    },
  };
}

function http2Client(certificate: Certificate) {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: servers.cert, ...certificate });
  return {
    session,
    async get(): Promise<unknown> {
      let text = "";
      for await (const chunk of session.request({ ":path": "/" }).setEncoding("utf8")) text += chunk;
      return JSON.parse(text);
    },
  };
}

async function servedCertificate(): Promise<string> {
  const socket = connectTls({ host: "127.0.0.1", port, ca: servers.cert });
  await once(socket, "secureConnect");
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

test("a new pair is used for new connections, and older connections continue", async () => {
  const old = http2Client(shown());
  expect(await old.get()).toEqual(named);
  const before = await servedCertificate();
  const endsAt = new Date(nowMs - (nowMs % 1000) + 90_000_000);
  await putFiles(servers.issue({ ips: ["127.0.0.1"], endsAt }), clients.cert);
  expect(tls.expireTimeMs()).not.toBe(endsAt.getTime());
  check();
  expect(tls.expireTimeMs()).toBe(endsAt.getTime());
  expect(await servedCertificate()).not.toBe(before);
  expect(await old.get()).toEqual(named);
  expect(logged).toEqual([`certificates were read again ${endsAt.toISOString()}`]);
  old.session.close();
});

test.each<[string, () => Promise<void>, string]>([
  ["a key of another certificate", () => putFiles({ ...leaf, key: shown().key }, clients.cert), "tls_key_file: does not belong"],
  ["no certificate", () => putFiles({ ...leaf, cert: Buffer.from("none") }, clients.cert), "tls_cert_file: holds no certificate"],
  [
    "a certificate that is not an authority",
    () => putFiles(leaf, shown().cert),
    "tls_client_ca_file: certificate 1 is not one of an authority",
  ],
  ["an empty file of authorities", () => putFiles(leaf, Buffer.from("")), "tls_client_ca_file: holds no certificate"],
  [
    "an authority without its root",
    () => putFiles(leaf, clients.issueAuthority("below").cert),
    "tls_client_ca_file: the issuer of certificate 1",
  ],
  ["a missing file", () => rm(join(folder.path, "data", "key")), "/data/key: no such file or folder (ENOENT)"],
])("%s is logged once, and the old files stay in use", async (_, put, problem) => {
  const before = await servedCertificate();
  await put();
  check();
  check();
  expect(logged).toEqual([expect.stringContaining(problem)]);
  expect(await servedCertificate()).toBe(before);
  const client = http1Client(shown());
  expect((await client.get()).answer).toEqual(named);
  client.close();
  await putFiles(servers.issue({ ips: ["127.0.0.1"] }), clients.cert);
  check();
  expect(await servedCertificate()).not.toBe(before);
});

test("a start with unusable files fails with an error that names the setting", () => {
  const missing = { path: "/nowhere", setting: "KEYWRIGHT_TLS_CERT_FILE" };
  const files = { certFile: missing, keyFile: missing, clientCaFile: null, clientCrlFile: null };
  expect(() => openTls(files, Date.now)).toThrow(
    new ConfigError(["KEYWRIGHT_TLS_CERT_FILE: cannot be read: /nowhere: no such file or folder (ENOENT)"]),
  );
});

test("an added authority admits more clients, and breaks no connection", async () => {
  const [old, later] = [http2Client(shown()), http1Client(shown(laterClients))];
  expect(await old.get()).toEqual(named);
  expect((await later.get()).answer).toHaveProperty("refusal");
  later.close();
  await putFiles(leaf, Buffer.concat([clients.cert, laterClients.cert]));
  check();
  const again = http1Client(shown(laterClients));
  expect((await again.get()).answer).toEqual(named);
  again.close();
  expect(await old.get()).toEqual(named);
  old.session.close();
});

test("removing an authority ends the connections of its certificates, including those that had sent nothing yet", async () => {
  const [old, idle, bare] = [http2Client(shown()), http1Client(shown()), http1Client()];
  expect([await old.get(), (await idle.get()).answer, (await bare.get()).answer]).toEqual([named, named, null]);
  const silent = connectTcp(port, "127.0.0.1");
  await once(silent, "connect");
  await until(() => listener.connectionCount() === 4);

  const closed = once(old.session, "close");
  await putFiles(leaf, laterClients.cert);
  check();
  await closed;
  expect((await idle.get()).answer).toEqual({ refusal: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
  expect((await bare.get()).answer).toBeNull();
  // Its handshake uses the authorities of the time at which it connected.
  const socket = connectTls({ socket: silent, ca: servers.cert, ...shown(), checkServerIdentity: () => undefined });
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const [head] = await once(socket.setEncoding("latin1"), "data");
  expect(head).toContain('{"refusal":"AUTHORITIES_CHANGED"}');
  expect(head.toLowerCase()).toContain("connection: close");
  idle.close();
  bare.close();
});

test("a certificate that is revoked ends its connections, and is refused", async () => {
  await putFiles(leaf, clients.cert, clients.revoke([2]));
  await listener.drain(0);
  await open(true);
  const holder = (serial: number) => clients.issue({ dns: ["a.example"], serial });
  const [old, refused, kept] = [http2Client(holder(3)), http1Client(holder(2)), http2Client(holder(4))];
  const idle = http1Client(holder(3));
  expect([await old.get(), (await refused.get()).answer, await kept.get()]).toEqual([named, { refusal: "CERT_REVOKED" }, named]);
  expect((await idle.get()).answer).toEqual(named);

  const closed = once(old.session, "close");
  await putFiles(leaf, clients.cert, clients.revoke([2, 3]));
  check();
  await closed;
  expect((await idle.get()).answer).toEqual({ refusal: "CERT_REVOKED" });
  expect(await kept.get()).toEqual(named);
  expect(logged).toEqual([expect.stringContaining("certificates were read again")]);
  for (const { close } of [refused, idle]) close();
  kept.session.close();
});

test("a list whose issuer is written with another string type, case and spacing ends connections too", async () => {
  const authority = createAuthority("Client  Authority");
  const listOf = (serials: number[]) => authority.revoke(serials, undefined, nameOf([" CLIENT authority "], printableString));
  await putFiles(leaf, authority.cert, listOf([]));
  await listener.drain(0);
  await open(true);
  const connect = (serial: number) => http2Client(authority.issue({ dns: ["a.example"], serial }));
  const [revoked, kept] = [connect(2), connect(3)];
  expect([await revoked.get(), await kept.get()]).toEqual([named, named]);
  const closed = once(revoked.session, "close");
  await putFiles(leaf, authority.cert, listOf([2]));
  check();
  await closed;
  expect(await kept.get()).toEqual(named);
  kept.session.close();
});

test("a connection whose certificate is revoked during its call is closed after it", async () => {
  await putFiles(leaf, clients.cert, clients.revoke([]));
  await listener.drain(0);
  await open(true);
  const client = http1Client(clients.issue({ dns: ["a.example"], serial: 2 }));
  const asked = client.get("/held");
  await until(() => held.length === 1);
  await putFiles(leaf, clients.cert, clients.revoke([2]));
  check();
  held[0]?.();
  expect((await asked).answer).toEqual({ refusal: "CERT_REVOKED" });
  await until(() => listener.connectionCount() === 0);
  client.close();
});

test("a serial number is revoked for its authority alone", async () => {
  const below = clients.issueAuthority("below");
  const lists = [clients.revoke([3]), laterClients.revoke([]), below.revoke([1])];
  await putFiles(leaf, Buffer.concat([clients.cert, laterClients.cert, below.cert]), Buffer.concat(lists));
  await listener.drain(0);
  await open(true);
  const answers: unknown[] = [];
  for (const [authority, serial] of [
    [clients, 3],
    [laterClients, 3],
    [below, 3],
    // The intermediate itself has the number 1 of its root.
    [below, 1],
    [below, 2],
  ] as const) {
    const client = http1Client(authority.issue({ dns: ["a.example"], serial }));
    answers.push((await client.get()).answer);
    client.close();
  }
  const refused = { refusal: "CERT_REVOKED" };
  expect(answers).toEqual([refused, named, named, refused, named]);
});

test.each<[string, () => Buffer, string]>([
  ["no list of an authority", () => laterClients.revoke([]), "tls_client_crl_file: has no list of certificate 1 of tls_client_ca_file"],
  ["a list that is cut off", () => clients.revoke([2]).subarray(0, -60), "tls_client_crl_file: has no list"],
  [
    "something else in the place of a list",
    () => Buffer.from(String(clients.cert).replaceAll("CERTIFICATE", "X509 CRL")),
    "tls_client_crl_file: list 1 cannot be read",
  ],
])("%s is an error, and the old lists stay in use", async (_, crl, problem) => {
  await putFiles(leaf, clients.cert, clients.revoke([1]));
  await listener.drain(0);
  await open(true);
  await putFiles(leaf, clients.cert, crl());
  check();
  expect(logged).toEqual([expect.stringContaining(problem)]);
  const client = http1Client(shown());
  expect((await client.get()).answer).toEqual({ refusal: "CERT_REVOKED" });
  client.close();
});

test("a list that has expired admits nobody", async () => {
  await putFiles(leaf, clients.cert, clients.revoke([], new Date("2021-01-01")));
  await listener.drain(0);
  await open(true);
  const client = http1Client(shown());
  expect((await client.get()).answer).toEqual({ refusal: "CRL_HAS_EXPIRED" });
  client.close();
});

test("a connection whose certificate expires soon is closed, so that the client reconnects with a newer one", async () => {
  const endsAt = new Date(Math.ceil(nowMs / 1000) * 1000 + 60_000);
  const [first, second] = [http2Client(shown(clients, endsAt)), http1Client(shown(clients, endsAt))];
  expect([await first.get(), (await second.get()).connection]).toEqual([named, "keep-alive"]);
  const closed = once(first.session, "close");
  nowMs = endsAt.getTime() - 4000;
  await closed;
  await until(() => listener.connectionCount() === 0);
  const third = http1Client(shown(clients, endsAt));
  expect(await third.get()).toMatchObject({ answer: named, connection: "close" });
  for (const { close } of [second, third]) close();
});

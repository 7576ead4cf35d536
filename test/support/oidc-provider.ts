import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { SignJWT } from "jose";
// @ts-expect-error The package has no types.
import Provider from "oidc-provider";

/** The audience of its tokens. */
export const audience = "https://keywright.example";

export interface TestProvider extends AsyncDisposable {
  readonly issuer: string;
  /** Returns how often its key set was fetched. */
  readonly fetchCount: () => number;
  /** Returns an access token of the client `deployer`, with the grant client_credentials. */
  accessToken(): Promise<string>;
  /** Signs with a new key from now on. Its set also contains the former one. */
  rotate(): void;
  /** While it is down, its set is not served. */
  setDown(isDown: boolean): void;
  /** A JWT that another program signed with the provider's key. */
  sign(claims: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): Promise<string>;
}

interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
}

const client = {
  client_id: "deployer",
  client_secret: "a secret of the client, 32 characters",
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
};

/** Starts an OpenID provider on loopback: the npm package `oidc-provider`. */
export async function startProvider(): Promise<TestProvider> {
  let keys = [newKey(1)];
  let fetchCount = 0;
  let isDown = false;
  let handle: RequestListener = () => {};
  const server = createServer((request, response) => {
    if (request.url === "/jwks") fetchCount += 1;
    if (isDown) response.writeHead(503).end();
    else handle(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const current = () => keys[0] as SigningKey;
  const start = () => {
    handle = providerOf(issuer, keys).callback();
  };
  start();
  return {
    issuer,
    fetchCount: () => fetchCount,
    async accessToken() {
      const response = await fetch(`${issuer}/token`, {
        method: "POST",
        headers: { authorization: `Basic ${btoa(`${client.client_id}:${encodeURIComponent(client.client_secret)}`)}` },
        body: new URLSearchParams({ grant_type: "client_credentials", resource: audience, scope: "keys" }),
      });
      const { access_token } = (await response.json()) as { access_token: string };
      return access_token;
    },
    rotate() {
      keys = [newKey(keys.length + 1), current()];
      start();
    },
    setDown(down) {
      isDown = down;
    },
    sign(claims, header = {}) {
      const { kid, privateKey } = current();
      return new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid, ...header }).sign(privateKey, { crit: { ext: true } });
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function newKey(number: number): SigningKey {
  return { kid: `key-${number}-${crypto.randomUUID()}`, privateKey: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey };
}

function providerOf(issuer: string, keys: readonly SigningKey[]): { callback(): RequestListener } {
  const jwks = keys.map(({ kid, privateKey }) => ({ ...privateKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" }));
  return new Provider(issuer, {
    clients: [client],
    jwks: { keys: jwks },
    // The first key in the list signs.
    clientDefaults: { id_token_signed_response_alg: "ES256" },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: () => ({
          scope: "keys",
          audience,
          accessTokenFormat: "jwt",
          accessTokenTTL: 600,
          jwt: { sign: { alg: "ES256", kid: keys[0]?.kid } },
        }),
      },
    },
  });
}

import { expect, test } from "vitest";
import { startApi } from "../support/api.ts";
import { derive } from "../support/derive.ts";
import { describeWithPython } from "../support/python.ts";

await describeWithPython("Python", (runPython) => {
  test("PyJWT checks a JWT with nothing but the URL of the keys", async () => {
    await using api = await startApi("json-http", { env: { KEYWRIGHT_ISSUER: "https://keys.example" } });
    const { token, claims } = await derive(api, (await api.issue({ actor_id: "user_1", scopes: ["read"] })).secret);
    const program = `
import json, sys, jwt
url, token = sys.argv[1:]
key = jwt.PyJWKClient(url).get_signing_key_from_jwt(token)
print(json.dumps(jwt.decode(token, key, algorithms=["EdDSA"], issuer="https://keys.example")))
try: jwt.decode(token[:-8] + "AAAAAAAA", key, algorithms=["EdDSA"])
except jwt.InvalidSignatureError: print("refused")
`;
    const [payload, forged] = (await runPython(program, [`${api.server.url}/.well-known/jwks.json`, token])).split("\n");
    expect(JSON.parse(payload as string)).toEqual(claims);
    expect(forged).toBe("refused");
  });

  test("pymacaroons narrows a macaroon, and the narrowing is honoured", async () => {
    await using api = await startApi("json-http");
    const { secret } = await api.issue({ actor_id: "user_1", scopes: ["read", "write"] });
    const { token } = await derive(api, secret, { algorithm: "TOKEN_ALGORITHM_MACAROON" });
    const program = `
import sys
from pymacaroons import Macaroon
macaroon = Macaroon.deserialize(sys.argv[1].removeprefix("mc_v1_"))
macaroon.add_first_party_caveat("scope = read")
print("mc_v1_" + macaroon.serialize())
`;
    const narrowed = await runPython(program, [token]);
    expect(await api.verify({ credential: narrowed })).toMatchObject({ is_valid: true, scopes: ["read"] });
    expect(await api.verify({ credential: token })).toMatchObject({ is_valid: true, scopes: ["read", "write"] });
  });
});

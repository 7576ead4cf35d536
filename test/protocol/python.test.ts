import { expect, test } from "vitest";
import { startApi } from "../support/api.ts";
import { derive } from "../support/derive.ts";
import { describeWithPython } from "../support/python.ts";

await describeWithPython("Python", (runPython) => {
  test("PyJWT checks a JWT with only the URL of the keys", async () => {
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
});

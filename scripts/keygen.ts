/**
 * Prints a new JWK Set with one private key, for KEYWRIGHT_SIGNING_KEYS: `npm run --silent keygen > signing-keys.json`. The key is Ed25519
 * unless `-- --alg ES256` or `-- --alg RS256` is given.
 */
import { parseArgs } from "node:util";
import { generateJwkSet } from "../src/config/signing-key.ts";
import { jwtAlgorithms } from "../src/core/token/signature.ts";

const { alg } = parseArgs({ options: { alg: { type: "string", default: "EdDSA" } } }).values;
const algorithm = jwtAlgorithms.find((known) => known === alg);
if (algorithm === undefined) {
  console.error(`keygen: --alg must be one of ${jwtAlgorithms.join(", ")}`);
  process.exit(2);
}
process.stdout.write(`${await generateJwkSet(algorithm)}\n`);

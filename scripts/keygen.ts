/** Prints a new JWK Set with one Ed25519 private key, for KEYWRIGHT_SIGNING_KEYS: `npm run --silent keygen > signing-keys.json`. */
import { generateJwkSet } from "../src/config/signing-key.ts";

process.stdout.write(`${await generateJwkSet()}\n`);

import { generateKeyPairSync, hash, randomBytes, sign, verify } from "node:crypto";
import { promisify } from "node:util";
import { createCredentials } from "../../src/core/credential.ts";
import { isValidSignature } from "../../src/core/token/signature.ts";
import { report, reportAsync, title } from "./report.ts";

const token = "kwadm_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
const input = "e".repeat(400);
const keyCount = 2000;

export async function measureCredentials(): Promise<void> {
  title("credentials");
  report("SHA-256 as a buffer", 200_000, () => hash("sha256", token, "buffer"));
  report("SHA-256 by way of Latin-1 (authenticate.ts)", 200_000, () => Buffer.from(hash("sha256", token, "binary"), "latin1"));

  const secrets = { current: "s".repeat(32), retired: [] };
  const create = () => createCredentials(secrets, { secret: "kw", public: "kw_pub", retired: [] }, randomBytes);
  const minter = create();
  const keys = Array.from({ length: keyCount }, (_, i) =>
    minter.mint("default", `01JD3V9Q4N8R5X2T7B6C1A${String(i).padStart(4, "0")}`, "secret"),
  );
  const parseAll = (credentials: typeof minter) => keys.map((key) => credentials.parse("default", key, 0));
  report(`${keyCount} issued keys, tags not seen before`, 3, () => parseAll(create()));
  report(`${keyCount} issued keys, tags remembered (credential.ts)`, 3, () => parseAll(minter));

  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const signature = sign(null, Buffer.from(input), privateKey);
  const pooled = promisify(verify);
  report("Ed25519 signature, on this thread (signature.ts)", 500, () => isValidSignature("EdDSA", publicKey, input, signature));
  await reportAsync("Ed25519 signature, on the thread pool", 500, 1, () => pooled(null, Buffer.from(input), publicKey, signature));
}

import type { KeyService } from "../../src/service/key-service.ts";
import type { TenantDirectory } from "../../src/service/tenants/tenant-directory.ts";
import { tenant } from "./node.ts";
import type { Protocol } from "./protocol.ts";
import type { Operation } from "./scenario.ts";
import { changeTenant, suspendableKeyId } from "./tenant.ts";

const importedKeyId = "imported-key";
/** The slot of the imported key; the others hold issued keys. */
export const importedSlot = 2;
/** The slot of the record of a tenant. */
export const tenantSlot = 3;

/** Credentials by slot; the current one of each slot is last. */
export function createSlots(): string[][] {
  return [[], [], [credentialOf(importedKeyId)], [credentialOf(suspendableKeyId)]];
}

export function credentialOf(keyId: string): string {
  if (keyId === suspendableKeyId) return `tenant ${keyId}`;
  return `${keyId === importedKeyId ? "imported" : "issued"} ${keyId}`;
}

/** The slot of an operation: suspensions concern the tenant, whatever slot the step names. */
export function slotOf(operation: Operation, slot: number): number {
  return operation === "suspend" || operation === "resume" ? tenantSlot : slot;
}

export function keyIdOf(credential: string): string {
  return credential.split(" ")[1] as string;
}

const request = {
  attributes: { name: "", scopes: ["read", "write"], metadata: null, rateLimitPolicy: null, allowedCidrs: [] },
  actorId: "",
  visibility: "secret",
  ttlMs: null,
  requestId: null,
} as const;
const rotationOf = (graceMs: number) => ({ overrides: {}, graceMs, ttlMs: null, requestId: null, check: () => {} });
/** Short, so that runs continue after its end. */
const graceOfRotationMs = 1500;
const origin = { method: "", caller: "", clientAddress: "", requestId: "" };
/** The first reason may later be raised to the second. */
const reasons = { supersede: "superseded", revoke: "key_compromise" } as const;

/** Performs operations on the key of a slot, as the service does. Resolves when the operation is acknowledged. */
export function createOperations(protocol: Protocol, slots: readonly string[][]) {
  const narrow = (service: KeyService, kind: "issued" | "imported", keyId: string) =>
    protocol.updateKey(service, tenant, origin, { kind, keyId, attributes: { scopes: [] }, check: () => {} });

  const revoke = (service: KeyService, operation: keyof typeof reasons, keyId: string) =>
    protocol.revokeKey(service, tenant, origin, { keyId, revocation: { reason: reasons[operation], description: "" } });

  return async (service: KeyService, directory: TenantDirectory, operation: Operation, slot: number): Promise<void> => {
    if (operation === "suspend" || operation === "resume") return changeTenant(protocol, service, directory, operation === "suspend");
    const credentials = slots[slot] as string[];
    const present = credentials.at(-1);
    if ((operation === "disable" || operation === "enable") && present !== undefined) {
      const disabled = operation === "disable";
      await protocol.setDisabled(service, tenant, origin, { keyId: keyIdOf(present), disabled, check: () => {} });
    } else if (slot === importedSlot) {
      if (operation === "delete") await protocol.deleteImportedKey(service, tenant, origin, importedKeyId);
      else if (operation === "revoke" || operation === "supersede") await revoke(service, operation, importedKeyId);
      else if (operation === "narrow") await narrow(service, "imported", importedKeyId);
      else await protocol.importKey(service, tenant, origin, { ...request, key: { raw: present as string } });
    } else if (present === undefined || operation === "issue" || operation === "import") {
      const { secret } = await protocol.issueKey(service, tenant, origin, request);
      credentials.push(secret as string);
    } else if (operation === "rotate" || operation === "rotateInGrace") {
      const rotation = rotationOf(operation === "rotate" ? 0 : graceOfRotationMs);
      const { secret } = await protocol.rotateKey(service, tenant, origin, { keyId: keyIdOf(present), ...rotation });
      credentials.push(secret as string);
    } else if (operation === "narrow") await narrow(service, "issued", keyIdOf(present));
    else await revoke(service, operation === "supersede" ? operation : "revoke", keyIdOf(present));
  };
}

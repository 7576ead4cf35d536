import type { DatabaseSync } from "node:sqlite";

/** Slots are below 2^51, up to which SQLite takes a floating-point number for the integer that it is. */
const timeRangeMs = 2 ** 39;
const slotsPerMs = 2 ** 12;

/**
 * The slot in which a key's row lies unless another key was there before. It must never change, because files hold it.
 *
 * Slots of issued keys sort by time as their ids do, so that new rows go to the end of the table. The time begins again after 17 years,
 * which does no harm. Other ids have any slot.
 */
export function homeSlot(tenant: string, keyId: string): number {
  const timeMs = timeOfUlid(keyId);
  if (timeMs === null) return modulo(hashOf(`${tenant}/${keyId}`), timeRangeMs * slotsPerMs);
  return modulo(timeMs, timeRangeMs) * slotsPerMs + modulo(hashOf(keyId), slotsPerMs);
}

/** `%` for a power of two, which is slow for numbers beyond 32 bits. */
function modulo(value: number, powerOfTwo: number): number {
  return value - Math.floor(value / powerOfTwo) * powerOfTwo;
}

const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const valueOfCode = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = digits.indexOf(String.fromCharCode(code));
  return value < 0 ? 255 : value;
});

/** The same as in the core, in one pass, because each read needs it. Returns null if the id is not a ULID. */
function timeOfUlid(id: string): number | null {
  if (id.length !== 26) return null;
  let timeMs = 0;
  for (let index = 0; index < 26; index += 1) {
    const value = valueOfCode[id.charCodeAt(index)] ?? 255;
    if (value > (index === 0 ? 7 : 31)) return null;
    if (index < 10) timeMs = timeMs * 32 + value;
  }
  return timeMs;
}

/** 53 bits, from two hashes with mixed ends. Not secret: keys with one hash only share a slot. */
function hashOf(text: string): number {
  let high = 0x811c9dc5;
  let low = 0x9747b28c;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    high = Math.imul(high ^ code, 0x9e3779b1);
    low = Math.imul(low ^ code, 0x5f356495);
  }
  high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  low = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  return (high & 0x1fffff) * 2 ** 32 + (low >>> 0);
}

/** Defines `home_slot(tenant, key_id)` in SQL. No part of the schema uses it, so that other programs can read the file. */
export function defineHomeSlot(database: DatabaseSync): void {
  database.function("home_slot", { deterministic: true }, (tenant, keyId) => homeSlot(String(tenant), String(keyId)));
}

/** A key whose home was taken has a negative slot, and an entry in this index. Hardly any key is in it. */
export const isAway = "slot < 0 AND tenant = ? AND key_id = ?";

/** The key with this id, if it is in this slot. */
export const isInSlot = "slot = ? AND tenant = ? AND key_id = ?";

/** The slots of keys. */
export interface Slots {
  /** Returns the slot of a key. If there is no such key, returns its home, in which may lie another key. */
  of(tenant: string, keyId: string): number;
  /** Returns a slot for a key whose home is taken. */
  nextAway(): number;
}

export function prepareSlots(database: DatabaseSync): Slots {
  const selectAway = database.prepare(`SELECT slot FROM keys INDEXED BY keys_away WHERE ${isAway}`);
  const selectLowest = database.prepare("SELECT min(slot) AS lowest FROM keys");
  return {
    of(tenant, keyId) {
      const away = selectAway.get(tenant, keyId) as { slot: number } | undefined;
      return away === undefined ? homeSlot(tenant, keyId) : away.slot;
    },
    nextAway: () => Math.min((selectLowest.get() as { lowest: number | null }).lowest ?? 0, 0) - 1,
  };
}

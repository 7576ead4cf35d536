import type { Random } from "./random.ts";
import { oddText } from "./values.ts";

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** An invalid credential: a genuine one damaged in one of its parts, another kind of token, or any text. Never the genuine one. */
export function damagedCredential(random: Random, genuine: string): string {
  const [prefix = "", version = "", keyId = "", tail = ""] = genuine.split("_");
  const made = random.pick<() => string>([
    () => genuine.slice(0, -1) + other(random, genuine.slice(-1)),
    () => replaceAt(random, genuine, genuine.length - 6 - random.below(11)),
    () => replaceAt(random, genuine, genuine.length - 17 - random.below(32)),
    () => `${prefix}_${version}_${random.word(26).toUpperCase()}_${tail}`,
    () => `${prefix}_pub_${version}_${keyId}_${tail}`,
    () => `${prefix}_v2_${keyId}_${tail}`,
    () => `${genuine} `,
    () => `\n${genuine}`,
    () => genuine.toUpperCase(),
    () => genuine.slice(0, random.below(genuine.length)),
    () => genuine + genuine,
    () => `${genuine}\0`,
    () => genuine.replace("_", "\u203f"),
    () => `${prefix}_${version}_${keyId}_${random.word(49)}`,
    () => random.word(random.pick([1, 8, 64, 4096, 4097, 50_000])),
    () => `eyJhbGciOiJub25lIn0.${random.word(40)}.`,
    () => `eyJhbGciOiJFZERTQSJ9.${Buffer.from('{"sub":"x","exp":9999999999}').toString("base64url")}.${random.word(86)}`,
    () => `${"eyJ".repeat(500)}.a.b`,
    () => "..",
    () => `mc_v1_${random.bytes(random.below(300)).toString("base64url")}`,
    () => `mc_v1_${Buffer.from([2, 1, 255, 255, 255, 255, 255]).toString("base64url")}`,
    () => "\ud800",
    () => "\u{1f511}".repeat(2000),
    () => oddText(random),
  ])();
  return made === genuine ? "x" : made;
}

function replaceAt(random: Random, text: string, index: number): string {
  return text.slice(0, index) + other(random, text.charAt(index)) + text.slice(index + 1);
}

function other(random: Random, letter: string): string {
  return base62.charAt((base62.indexOf(letter) + 1 + random.below(base62.length - 1)) % base62.length);
}

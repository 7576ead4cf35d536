import type { CacheAddress, StoreAddress } from "./config.ts";
import { MalformedError } from "./parsers.ts";

/** Parses the value of KEYWRIGHT_STORE. */
export function store(text: string): StoreAddress {
  if (/^sqlite:\/\/\/[^?#]+$/.test(text)) return { kind: "sqlite", path: sqlitePath(text.slice("sqlite://".length)) };
  if (/^mongodb(\+srv)?:\/\/[^/?#\s]\S*$/.test(text)) return { kind: "mongodb", uri: text };
  throw new MalformedError("must be sqlite:///path, mongodb://... or mongodb+srv://...");
}

const redisTopologies = { "redis:": "single", "rediss:": "single", "redis+sentinel:": "sentinel", "redis+cluster:": "cluster" } as const;

/** Parses the value of KEYWRIGHT_CACHE. */
export function cache(text: string): CacheAddress {
  if (text === "memory" || text === "none") return { kind: text };
  const scheme = /^(redis:|rediss:|redis\+sentinel:|redis\+cluster:)\/\/[^/?#\s]\S*$/.exec(text)?.[1] as
    | keyof typeof redisTopologies
    | undefined;
  if (scheme === undefined) {
    throw new MalformedError("must be memory, none, redis://..., rediss://..., redis+sentinel://... or redis+cluster://...");
  }
  return { kind: "redis", topology: redisTopologies[scheme], uri: text };
}

function sqlitePath(path: string): string {
  try {
    const decoded = decodeURIComponent(path);
    return /^\/[A-Za-z]:\//.test(decoded) ? decoded.slice(1) : decoded;
  } catch {
    throw new MalformedError("must be sqlite:///path with well-formed percent-encoding");
  }
}

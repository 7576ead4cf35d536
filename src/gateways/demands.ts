import { createBoundedMemory } from "../core/bounded-memory.ts";
import { isTenantId } from "../core/tenant.ts";
import { Failure, invalidField } from "../error/failure.ts";

/** The demands of a route on a credential, from the configuration of the gateway. */
export interface Demands {
  readonly scopes: readonly string[];
  readonly cost: number;
  readonly audience: string;
  /** Undefined: the tenant of the gateway's call. */
  readonly tenant: string | undefined;
  /** The header that holds the credential, in lower case. Undefined: Authorization or X-Api-Key. */
  readonly header: string | undefined;
  /** Whether the upstream gets a signed JWT about the key. */
  readonly identity: "none" | "jwt";
  /** The status sent instead of 429. */
  readonly limitedStatus: 429 | 403;
}

const noDemands: Demands = {
  scopes: [],
  cost: 1,
  audience: "",
  tenant: undefined,
  header: undefined,
  identity: "none",
  limitedStatus: 429,
};

const maxScopes = 100;
const scopeShape = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/;
const maxAudienceChars = 255;
const maxCost = 1_000_000;
const headerShape = /^[a-z0-9-]{1,64}$/;

/** Reads one demand from the decoded items of its comma-separated value. Returns a text if the value is invalid. */
type DemandReader = (items: readonly string[]) => Partial<Demands> | string;

/** All demands. A route with any other demand is refused. */
const readers: ReadonlyMap<string, DemandReader> = new Map<string, DemandReader>([
  [
    "scopes",
    (items) => (items.length <= maxScopes && items.every((item) => scopeShape.test(item)) ? { scopes: items } : "must be 1 to 100 scopes"),
  ],
  ["cost", single((text) => (/^\d{1,7}$/.test(text) && Number(text) <= maxCost ? { cost: Number(text) } : `must be 0 to ${maxCost}`))],
  [
    "audience",
    single((text) => (text !== "" && text.length <= maxAudienceChars ? { audience: text } : `must be 1 to ${maxAudienceChars} characters`)),
  ],
  ["tenant", single((text) => (isTenantId(text) ? { tenant: text } : "must be the id of a tenant"))],
  ["header", single((text) => (headerShape.test(text) ? { header: text } : "must be the name of a header in lower case"))],
  ["identity", single((text) => (text === "jwt" ? { identity: "jwt" } : "must be jwt"))],
  ["429", single((text) => (text === "403" ? { limitedStatus: 403 } : "must be 403"))],
]);

function single(read: (text: string) => Partial<Demands> | string): DemandReader {
  return (items) => (items.length === 1 ? read(items[0] as string) : "must be one value");
}

/** Reads what a route demands from names and values. */
export type DemandsReader = (entries: readonly (readonly [name: string, value: string])[]) => Demands;

/** A route has few sets of demands, and each request has one of them. */
const rememberedSets = 1000;

/** Reads demands as `readDemands` does, and remembers those that it read. */
export function createDemandReader(): DemandsReader {
  const known = createBoundedMemory<Demands>(rememberedSets);
  return (entries) => {
    const name = JSON.stringify(entries);
    let demands = known.get(name);
    if (demands === undefined) {
      demands = readDemands(entries);
      known.set(name, demands);
    }
    return demands;
  };
}

/**
 * Reads demands from their names and values. A value is a comma-separated list of percent-encoded items. Throws INVALID_REQUEST for a name
 * that is unknown or given twice and for an invalid value, because ignoring a demand would open the route.
 */
function readDemands(entries: readonly (readonly [name: string, value: string])[]): Demands {
  let demands = noDemands;
  const seen = new Set<string>();
  for (const [name, value] of entries) {
    const read = readers.get(name);
    if (read === undefined) throw new Failure("INVALID_REQUEST", { message: `unknown demand; known: ${[...readers.keys()].join(", ")}` });
    if (seen.has(name)) throw invalidField(name, "must not be given twice");
    seen.add(name);
    const found = read(itemsOf(name, value));
    if (typeof found === "string") throw invalidField(name, found);
    demands = { ...demands, ...found };
  }
  if (demands.identity === "jwt" && demands.audience === "") throw invalidField("identity", "needs an audience");
  return demands;
}

function itemsOf(name: string, value: string): string[] {
  try {
    return value.split(",").map(decodeURIComponent);
  } catch {
    throw invalidField(name, "is not percent-encoded correctly");
  }
}

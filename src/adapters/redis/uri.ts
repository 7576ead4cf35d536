/** Address of one server. An IPv6 address has no brackets. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** An ACL user. Without a name it is the server's default user. */
export interface RedisLogin {
  readonly username?: string;
  readonly password?: string;
}

/** The parsed form of a cache URI. */
export interface RedisTarget {
  readonly topology: "single" | "sentinel" | "cluster";
  /** The server, the sentinels, or some nodes of the cluster. At least one. */
  readonly seeds: readonly RedisAddress[];
  readonly login: RedisLogin;
  /** Login at the sentinels themselves. */
  readonly sentinelLogin: RedisLogin;
  /** The name of the master in Sentinel; empty without Sentinel. */
  readonly masterName: string;
  readonly db: number;
  readonly tls: boolean;
}

const topologies = { redis: "single", rediss: "single", "redis+sentinel": "sentinel", "redis+cluster": "cluster" } as const;
const shape = /^(redis|rediss|redis\+sentinel|redis\+cluster):\/\/(?:([^@/?#]*)@)?([^@/?#\s]+)(\/[^?#]*)?(?:\?([^#]*))?$/;
const hostAndPort = /^(\[[0-9a-fA-F:.]+\]|[^:[\],]+)(?::(\d{1,5}))?$/;

/**
 * Parses
 *
 *     redis://[user:password@]host[:port][/db]            rediss:// is the same over TLS
 *     redis+sentinel://[user:password@]host[:port],.../master-name[/db][?tls=true&sentinel_username=...&sentinel_password=...]
 *     redis+cluster://[user:password@]host[:port],...[?tls=true]
 *
 * User names, passwords and the master's name are percent-encoded. Throws an Error that contains nothing of the URI.
 */
export function parseRedisUri(uri: string): RedisTarget {
  const [, scheme, userinfo, hosts = "", path = "", query = ""] = shape.exec(uri) ?? [];
  if (scheme === undefined) throw malformed("is not a Redis URI");
  const topology = topologies[scheme as keyof typeof topologies];
  const seeds = hosts.split(",").map((host) => address(host, topology === "sentinel" ? 26379 : 6379));
  if (topology === "single" && seeds.length !== 1) throw malformed("names more than one host");
  const settings = parameters(query, topology);
  const segments = path.split("/").slice(1).map(decode);
  const masterName = topology === "sentinel" ? (segments.shift() ?? "") : "";
  if (topology === "sentinel" && masterName === "") throw malformed("lacks the name of the master behind the sentinels");
  if (segments.length > 1 || (topology === "cluster" && segments.join("") !== ""))
    throw malformed("has a path that is not a database number");
  return {
    topology,
    seeds,
    login: login(userinfo),
    sentinelLogin: loginOf(settings.get("sentinel_username"), settings.get("sentinel_password")),
    masterName,
    db: database(segments[0] ?? ""),
    tls: scheme === "rediss" || settings.get("tls") === "true",
  };
}

function malformed(problem: string): Error {
  return new Error(`the URI of the Redis cache ${problem}`);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw malformed("has malformed percent-encoding");
  }
}

function address(text: string, defaultPort: number): RedisAddress {
  const [, host, port] = hostAndPort.exec(text) ?? [];
  const number = port === undefined ? defaultPort : Number(port);
  if (host === undefined || number < 1 || number > 65_535) throw malformed("has a malformed host or port");
  return { host: host.replace(/^\[|\]$/g, ""), port: number };
}

function login(userinfo: string | undefined): RedisLogin {
  if (userinfo === undefined || userinfo === "") return {};
  const colon = userinfo.indexOf(":");
  if (colon === -1) throw malformed("has a user name without a password");
  return loginOf(decode(userinfo.slice(0, colon)), decode(userinfo.slice(colon + 1)));
}

function loginOf(username: string | undefined, password: string | undefined): RedisLogin {
  return { ...(username ? { username } : {}), ...(password ? { password } : {}) };
}

function database(text: string): number {
  if (!/^\d{0,5}$/.test(text)) throw malformed("has a database that is not a number");
  return Number(text);
}

const parametersOf: Readonly<Record<RedisTarget["topology"], readonly string[]>> = {
  single: [],
  sentinel: ["tls", "sentinel_username", "sentinel_password"],
  cluster: ["tls"],
};

function parameters(query: string, topology: RedisTarget["topology"]): Map<string, string> {
  const settings = new Map<string, string>();
  for (const pair of query.split("&").filter((text) => text !== "")) {
    const equals = pair.indexOf("=");
    const name = equals === -1 ? pair : pair.slice(0, equals);
    const value = equals === -1 ? "" : decode(pair.slice(equals + 1));
    if (!parametersOf[topology].includes(name) || settings.has(name)) throw malformed("has an unknown or repeated parameter");
    if (name === "tls" && value !== "true" && value !== "false") throw malformed("has a tls parameter that is neither true nor false");
    settings.set(name, value);
  }
  return settings;
}

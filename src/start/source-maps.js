// @ts-check
import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { dirname, resolve, sep } from "node:path";

/**
 * Stacks name the sources of a bundle and not its files. Unlike `--enable-source-maps`, this reads a map when a stack needs it and not at the
 * start.
 * @param {string} folder The bundle.
 */
export function useSourceMaps(folder) {
  /** @type {Map<string, SourceMap>} */
  const maps = new Map();
  const mapOf = (/** @type {string} */ file) => {
    const map = maps.get(file) ?? readMap(file);
    if (map !== null) maps.set(file, map);
    return map;
  };

  Error.prepareStackTrace = (error, sites) => {
    const lines = sites.map((site) => {
      const file = site.getFileName();
      const map = file?.startsWith(`${folder}${sep}`) ? mapOf(file) : null;
      const place = `${file}:${site.getLineNumber()}:${site.getColumnNumber()}`;
      return map === null ? String(site) : String(site).replace(place, () => sourceOf(site, map) ?? place);
    });
    return [headOf(error), ...lines.map((line) => `    at ${line}`)].join("\n");
  };
}

/**
 * @param {NodeJS.CallSite} site
 * @param {SourceMap} map
 */
function sourceOf(site, map) {
  const entry = map.findEntry((site.getLineNumber() ?? 1) - 1, (site.getColumnNumber() ?? 1) - 1);
  if (!("originalSource" in entry)) return null;
  const source = resolve(dirname(String(site.getFileName())), entry.originalSource);
  return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
}

/** @param {string} file */
function readMap(file) {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${file}.map`, "utf8")));
  } catch {
    return null;
  }
}

/** @param {unknown} error */
function headOf(error) {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return "Error";
  }
}

// @ts-check
import { hash, randomUUID } from "node:crypto";
import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** @typedef {import("./link.js").LinkedModule} LinkedModule */

/**
 * Linked modules, with the code that V8 compiled from them.
 * @typedef {object} Pack
 * @property {Map<string, LinkedModule>} modules
 * @property {Map<string, Buffer>} code
 * @property {Record<string, string>} watched Digests of other files that have a say in the modules, by path.
 * @property {boolean} isComplete Whether the process that compiled the code had served for a while.
 */

const digestBytes = 32;
const headBytes = digestBytes + 4;

/**
 * Returns null if there is no whole file that only its owner can write. The owner is this user or root.
 * @param {string} file
 * @returns {Pack | null}
 */
export function readPack(file) {
  const bytes = readPrivate(file);
  if (bytes === null || bytes.length < headBytes || !bytes.subarray(0, digestBytes).equals(digestOf(bytes.subarray(digestBytes))))
    return null;
  let end = headBytes + bytes.readUInt32LE(digestBytes);
  const { modules, watched, isComplete } = JSON.parse(bytes.toString("utf8", headBytes, end));
  const part = (/** @type {number} */ length) => {
    end += length;
    return bytes.subarray(end - length, end);
  };
  /** @type {Pack} */
  const pack = { modules: new Map(), code: new Map(), watched, isComplete };
  for (const { textBytes, codeBytes, ...module } of modules) {
    const text = part(textBytes);
    const code = part(codeBytes);
    if (codeBytes > 0) pack.code.set(module.id, code);
    // Most texts of modules that are loaded later are never needed.
    pack.modules.set(module.id, {
      ...module,
      get text() {
        return text.toString();
      },
    });
  }
  return pack;
}

/**
 * Replaces the file in one step, so that a process that starts meanwhile reads the old one or the new one.
 * @param {string} file
 * @param {Pack} pack
 */
export function writePack(file, { modules, code, watched, isComplete }) {
  /** @type {Buffer[]} */
  const parts = [];
  const list = Array.from(modules.values(), ({ id, digest, linked, external, dynamic, exports, all, text }) => {
    const textPart = Buffer.from(text);
    const codePart = code.get(id) ?? Buffer.alloc(0);
    parts.push(textPart, codePart);
    return { id, digest, linked, external, dynamic, exports, all, textBytes: textPart.length, codeBytes: codePart.length };
  });
  const header = Buffer.from(JSON.stringify({ modules: list, watched, isComplete }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const body = Buffer.concat([length, header, ...parts]);
  const unfinished = `${file}.${randomUUID()}`;
  try {
    writeFileSync(unfinished, Buffer.concat([digestOf(body), body]), { flag: "wx", mode: 0o600 });
    renameSync(unfinished, file);
  } finally {
    rmSync(unfinished, { force: true });
  }
}

/**
 * Creates the folder of the file, for this user only. Returns whether this user can write there and nobody else can.
 * @param {string} file
 */
export function canWrite(file) {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const folder = lstatSync(dirname(file));
  return folder.isDirectory() && isPrivate(folder) && folder.uid === (process.getuid?.() ?? folder.uid) && (folder.mode & 0o200) !== 0;
}

/** @param {string} file */
function readPrivate(file) {
  const folder = lstatSync(dirname(file), { throwIfNoEntry: false });
  if (folder === undefined || !folder.isDirectory() || !isPrivate(folder)) return null;
  /** @type {number} */
  let descriptor;
  try {
    descriptor = openSync(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  } catch {
    return null;
  }
  try {
    const status = fstatSync(descriptor);
    return status.isFile() && isPrivate(status) ? readFileSync(descriptor) : null;
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Windows has neither owners nor modes here.
 * @param {import("node:fs").Stats} status
 */
function isPrivate({ uid, mode }) {
  const own = process.getuid?.();
  return own === undefined || ((uid === 0 || uid === own) && (mode & 0o022) === 0);
}

/** @param {Buffer} bytes */
function digestOf(bytes) {
  return hash("sha256", bytes, "buffer");
}

/**
 * Writes what a release has for clients beside the packages: `npm run release-files [FOLDER]`, by default `dist`. The descriptor set is for
 * grpcurl, protoc and others that take `FileDescriptorSet`s; Buf's image is one as well, with comments and with what Buf adds.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const folder = resolve(process.argv[2] ?? "dist");
mkdirSync(folder, { recursive: true });
const buf = (...args: readonly string[]) => execFileSync(join(root, "node_modules/.bin/buf"), args, { cwd: root, stdio: "inherit" });

buf("build", "proto", "-o", join(folder, "keywright.image.binpb"));
buf("build", "proto", "--as-file-descriptor-set", "-o", join(folder, "keywright.protoset"));
buf("export", "proto", "-o", join(folder, "protos"));
copyFileSync(join(root, "gen/openapi.json"), join(folder, "keywright.openapi.json"));
console.info(`wrote keywright.image.binpb, keywright.protoset, keywright.openapi.json and protos/ to ${folder}`);

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createFileRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

const modules = join(import.meta.dirname, "../../node_modules");

/** Compiles .proto files, which may import each other by their base names, and google/api/annotations.proto. */
export function compileProto(...files: string[]): FileRegistry {
  const folder = mkdtempSync(join(tmpdir(), "keywright-proto-"));
  try {
    mkdirSync(join(folder, "google/api"), { recursive: true });
    for (const name of ["annotations", "http", "field_behavior"]) {
      copyFileSync(join(modules, `google-gax/build/protos/google/api/${name}.proto`), join(folder, `google/api/${name}.proto`));
    }
    for (const file of files) copyFileSync(file, join(folder, basename(file)));
    const image = execFileSync(join(modules, ".bin/buf"), ["build", folder, "--as-file-descriptor-set", "-o", "-"], { maxBuffer: 1 << 26 });
    return createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

import { readFileSync } from "node:fs";
import { createFileRegistry, type DescMessage, type DescService, type FileRegistry, fromBinary, type Message } from "@bufbuild/protobuf";
import { type Any, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/**
 * The suite's messages, as far as the server under test reads them. Its protos are not ours to commit, so there is no generated code for
 * them: the run compiles them to descriptors and names the file in KEYWRIGHT_CONFORMANCE_DESCRIPTORS.
 */
const packageName = "connectrpc.conformance.v1";

export interface HeaderLine {
  readonly name: string;
  readonly value: string[];
}

export interface WantedError {
  readonly code: number;
  readonly message?: string;
  readonly details: Any[];
}

export interface UnaryDefinition {
  readonly responseHeaders: HeaderLine[];
  readonly responseTrailers: HeaderLine[];
  readonly responseDelayMs: number;
  readonly response:
    | { readonly case: "responseData"; readonly value: Uint8Array }
    | { readonly case: "error"; readonly value: WantedError }
    | { readonly case: undefined };
}

export interface StreamDefinition {
  readonly responseHeaders: HeaderLine[];
  readonly responseTrailers: HeaderLine[];
  readonly responseDelayMs: number;
  readonly responseData: Uint8Array[];
  readonly error?: WantedError;
}

export type UnaryMessage = Message & { readonly responseDefinition?: UnaryDefinition };
export type StreamMessage = Message & { readonly responseDefinition?: StreamDefinition; readonly fullDuplex?: boolean };

export type ServerRequest = Message & {
  readonly useTls: boolean;
  readonly messageReceiveLimit: number;
  readonly serverCreds?: { readonly cert: Uint8Array; readonly key: Uint8Array };
};

export interface Suite {
  readonly service: DescService;
  readonly registry: FileRegistry;
  message(name: string): DescMessage;
}

export function loadSuite(descriptorFile: string): Suite {
  const registry: FileRegistry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptorFile)));
  const found = <T>(it: T | undefined, name: string): T => {
    if (it === undefined) throw new Error(`the conformance protos have no ${name}`);
    return it;
  };
  const message = (name: string): DescMessage => found(registry.getMessage(`${packageName}.${name}`), name);
  return { service: found(registry.getService(`${packageName}.ConformanceService`), "service"), registry, message };
}

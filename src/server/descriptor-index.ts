import { type DescEnum, type DescExtension, type DescFile, type DescMessage, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { memoized } from "../memoized.ts";

/** The services, methods and types that reflection clients can ask for. Names are fully qualified, without a leading dot. */
export interface DescriptorIndex {
  readonly serviceNames: readonly string[];
  file(name: string): DescFile | undefined;
  /** The file that declares a message, field, oneof, enum, enum value, service, method or extension. */
  fileOfSymbol(symbol: string): DescFile | undefined;
  fileOfExtension(extendee: string, number: number): DescFile | undefined;
  /** Returns the numbers in ascending order, or undefined if the message is unknown. */
  extensionNumbers(extendee: string): readonly number[] | undefined;
  /** Returns the file and everything it depends on. Each file occurs once and precedes its own dependencies. */
  closure(file: DescFile): readonly IndexedFile[];
}

export interface IndexedFile {
  readonly descriptor: DescFile;
  /** The serialized FileDescriptorProto. */
  readonly bytes: Uint8Array;
}

/** Indexes the files of the services, the other files, and all their dependencies. */
export function indexDescriptors(services: readonly DescService[], otherFiles: readonly DescFile[] = []): DescriptorIndex {
  const files = new Map<string, DescFile>();
  const symbols = new Map<string, DescFile>();
  const messages = new Set<string>();
  const extensions = new Map<string, Map<number, DescFile>>();

  const addEnum = (descriptor: DescEnum): void => {
    symbols.set(descriptor.typeName, descriptor.file);
    // Values are siblings of their enum, not children (as in C++).
    const scope = descriptor.typeName.slice(0, descriptor.typeName.lastIndexOf(".") + 1);
    for (const value of descriptor.values) symbols.set(scope + value.name, descriptor.file);
  };
  const addExtension = (descriptor: DescExtension): void => {
    symbols.set(descriptor.typeName, descriptor.file);
    const extendee = descriptor.extendee.typeName;
    const numbers = extensions.get(extendee) ?? new Map<number, DescFile>();
    extensions.set(extendee, numbers.set(descriptor.number, descriptor.file));
  };
  const addMessage = (descriptor: DescMessage): void => {
    const { typeName, file } = descriptor;
    messages.add(typeName);
    symbols.set(typeName, file);
    for (const { name } of [...descriptor.fields, ...descriptor.oneofs]) symbols.set(`${typeName}.${name}`, file);
    descriptor.nestedMessages.forEach(addMessage);
    descriptor.nestedEnums.forEach(addEnum);
    descriptor.nestedExtensions.forEach(addExtension);
  };
  const addFile = (file: DescFile): void => {
    if (files.has(file.proto.name)) return;
    files.set(file.proto.name, file);
    file.messages.forEach(addMessage);
    file.enums.forEach(addEnum);
    file.extensions.forEach(addExtension);
    for (const service of file.services) {
      symbols.set(service.typeName, file);
      for (const { name } of service.methods) symbols.set(`${service.typeName}.${name}`, file);
    }
    file.dependencies.forEach(addFile);
  };
  for (const file of [...services.map((service) => service.file), ...otherFiles]) addFile(file);

  const closure = memoized((file: DescFile): readonly IndexedFile[] =>
    withDependencies(file)
      .reverse()
      .map((descriptor) => ({ descriptor, bytes: toBinary(FileDescriptorProtoSchema, descriptor.proto) })),
  );
  return {
    serviceNames: services.map((service) => service.typeName).sort(),
    file: (name) => files.get(name),
    fileOfSymbol: (symbol) => symbols.get(symbol),
    fileOfExtension: (extendee, number) => extensions.get(extendee)?.get(number),
    extensionNumbers: (extendee) =>
      messages.has(extendee) ? [...(extensions.get(extendee)?.keys() ?? [])].sort((a, b) => a - b) : undefined,
    closure,
  };
}

/** Returns dependencies before the files that need them. */
function withDependencies(file: DescFile, visited = new Set<DescFile>()): DescFile[] {
  if (visited.has(file)) return [];
  visited.add(file);
  return [...file.dependencies.flatMap((dependency) => withDependencies(dependency, visited)), file];
}

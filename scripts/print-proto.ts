import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  type FileDescriptorProto,
} from "@bufbuild/protobuf/wkt";

const scalarNames = [
	"", "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string",
	"group", "message", "bytes", "uint32", "enum", "sfixed32", "sfixed64", "sint32", "sint64",
]; // biome-ignore format: one row a kind

/**
 * Prints a proto2 file descriptor as `.proto` source that compiles to the same messages, enums and extensions. Field options and comments
 * are left out, because compiling against the result needs neither.
 */
export function printProto2(file: FileDescriptorProto): string {
  return [
    'syntax = "proto2";',
    `package ${file.package};`,
    ...file.dependency.map((path) => `import "${path}";`),
    ...file.enumType.map(printEnum),
    ...file.messageType.map(printMessage),
    ...file.extension.map((field) => `extend ${field.extendee} { ${printField(field)} }`),
    "",
  ].join("\n");
}

function printMessage(message: DescriptorProto): string {
  const plainFields = message.field.filter((field) => !hasOneof(field));
  const oneofs = message.oneofDecl.map((oneof, index) => {
    const members = message.field.filter((field) => hasOneof(field) && field.oneofIndex === index);
    return `oneof ${oneof.name} { ${members.map((field) => printField(field, "")).join(" ")} }`;
  });
  return [
    `message ${message.name} {`,
    ...message.nestedType.map(printMessage),
    ...message.enumType.map(printEnum),
    ...plainFields.map((field) => printField(field)),
    ...oneofs,
    ...message.extensionRange.map((range) => `extensions ${range.start} to ${range.end > 536870911 ? "max" : range.end - 1};`),
    ...message.reservedRange.map((range) => `reserved ${range.start} to ${range.end - 1};`),
    ...(message.reservedName.length > 0 ? [`reserved ${message.reservedName.map((name) => `"${name}"`).join(", ")};`] : []),
    "}",
  ].join("\n");
}

function printEnum(descriptor: EnumDescriptorProto): string {
  return `enum ${descriptor.name} { ${descriptor.value.map((value) => `${value.name} = ${value.number};`).join(" ")} }`;
}

function printField(field: FieldDescriptorProto, label = labelOf(field)): string {
  const type = field.typeName === "" ? scalarNames[field.type] : field.typeName;
  return `${label}${type} ${field.name} = ${field.number};`;
}

function labelOf(field: FieldDescriptorProto): string {
  if (field.label === FieldDescriptorProto_Label.REPEATED) return "repeated ";
  return field.label === FieldDescriptorProto_Label.REQUIRED ? "required " : "optional ";
}

/** Protobuf-es leaves an unset oneof index at 0, so only an own property shows presence. */
function hasOneof(field: FieldDescriptorProto): boolean {
  return Object.hasOwn(field, "oneofIndex");
}

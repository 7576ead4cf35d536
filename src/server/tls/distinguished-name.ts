import { type Element, partsOf } from "./der.ts";

/** String types of DER, and how their bytes are decoded. */
const decoders: ReadonlyMap<number, (content: Buffer) => string> = new Map([
  [0x0c, (content) => content.toString("utf8")],
  // Numeric, Printable, Teletex, IA5, Visible.
  ...[0x12, 0x13, 0x14, 0x16, 0x1a].map((tag) => [tag, (content: Buffer) => content.toString("latin1")] as const),
  [0x1c, (content) => textOf(content, 4)],
  [0x1e, (content) => textOf(content, 2)],
]);

/**
 * Returns a text that is the same for names that compare equal (RFC 5280, section 7.1), however their strings are written: type, case,
 * spacing. In doubt it is the same, so that a revoked certificate is not taken for another one. Throws if the name cannot be read.
 */
export function comparableName({ content }: Element): string {
  const parts = partsOf(content).map((set) => partsOf(set.content).map(comparableAttribute).sort());
  return JSON.stringify(parts);
}

function comparableAttribute({ content }: Element): string {
  const [type, value] = partsOf(content);
  if (type === undefined || value === undefined) throw new Error("no attribute");
  const text = decoders.get(value.tag)?.(value.content);
  return `${type.content.toString("hex")}=${text === undefined ? `#${value.whole.toString("hex")}` : folded(text)}`;
}

/** Characters that RFC 4518, section 2.2 maps to nothing, and others that are not visible. The rest of its controls follow the spaces. */
const invisible = /[\p{Default_Ignorable_Code_Point}\p{Cf}\u1806\ufffc]/gu;
const spaces = /[\s\u0085]+/g;
const controls = /\p{Cc}/gu;

/** Like stringprep (RFC 4518), and folds some letters more. */
function folded(text: string): string {
  const plain = text.replace(invisible, "").replace(spaces, " ").replace(controls, "").normalize("NFKC");
  return plain.toUpperCase().toLowerCase().normalize("NFKC").replace(/ +/g, " ").trim();
}

function textOf(content: Buffer, bytesPerUnit: 2 | 4): string {
  if (content.length % bytesPerUnit !== 0) throw new Error("cut off");
  const units = Array.from({ length: content.length / bytesPerUnit }, (_, index) => content.readUIntBE(index * bytesPerUnit, bytesPerUnit));
  // Two surrogates make one character, whichever way they are written.
  return units.map((unit) => String.fromCodePoint(unit)).join("");
}

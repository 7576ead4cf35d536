import { expect, test } from "vitest";
import { partsOf } from "../../src/server/tls/der.ts";
import { comparableName } from "../../src/server/tls/distinguished-name.ts";
import { der, nameOf } from "../support/certificates.ts";

const commonName = Buffer.from("550403", "hex");
const organization = Buffer.from("55040a", "hex");
const comparable = (name: Buffer) => comparableName(partsOf(name)[0] as ReturnType<typeof partsOf>[number]);
const plain = comparable(nameOf(["Example CA"]));

/** A name with one set of attributes. */
function nameWith(...attributes: readonly (readonly [type: Buffer, tag: number, value: Buffer])[]): Buffer {
  const set = attributes.map(([type, tag, value]) => der(0x30, Buffer.concat([der(0x06, type), der(tag, value)])));
  return der(0x30, der(0x31, Buffer.concat(set)));
}

test.each<[string, Buffer]>([
  ["PrintableString", nameOf(["Example CA"], 0x13)],
  ["IA5String", nameOf(["Example CA"], 0x16)],
  ["TeletexString", nameOf(["Example CA"], 0x14)],
  ["BMPString", nameWith([commonName, 0x1e, Buffer.from("Example CA", "utf16le").swap16()])],
  [
    "UniversalString",
    nameWith([commonName, 0x1c, Buffer.concat([..."Example CA"].map((char) => Buffer.from([0, 0, 0, char.charCodeAt(0)])))]),
  ],
  ["another case", nameOf(["eXAMPLE ca"])],
  ["other spaces", nameOf(["  Example \t  CA "])],
  ["a soft hyphen", nameOf(["Exam\u00adple CA"])],
  ...[0x34f, 0x180b, 0x180d, 0x1806, 0x200b, 0x200d, 0x2060, 0xfe00, 0xfe0f, 0xfeff, 0xfffc, 0xe0100].map((code): [string, Buffer] => [
    `U+${code.toString(16)}, which is mapped to nothing`,
    nameOf([`Exam${String.fromCodePoint(code)}ple CA`]),
  ]),
  ["a combining joiner between letter and accent", nameOf(["Example CA\u034f"])],
  ["U+0085, which is a space", nameOf(["Example\u0085CA"])],
  ["U+FEFF beside a space", nameOf(["Example \ufeff CA"])],
  ["full-width letters", nameOf(["Ｅxample CA"])],
])("a name in %s is equal", (_, name) => {
  expect(comparable(name)).toBe(plain);
});

test("accents, composed or not, and letters without a capital are compared as Unicode does", () => {
  expect(comparable(nameOf(["E\u0301cole STRASSE"]))).toBe(comparable(nameOf(["école straße"])));
});

test("the order of the attributes of one set does not matter, because it depends on how they are written", () => {
  const [one, other] = [[commonName, 0x0c, Buffer.from("a")] as const, [organization, 0x13, Buffer.from("B")] as const];
  expect(comparable(nameWith(one, other))).toBe(comparable(nameWith(other, [commonName, 0x13, Buffer.from("A")])));
});

test.each<[string, Buffer]>([
  ["another text", nameOf(["Example C A"])],
  ["one attribute more", nameOf(["Example CA", "x"])],
  ["another attribute", nameWith([organization, 0x0c, Buffer.from("Example CA")])],
  ["a value that is no text", nameWith([commonName, 0x03, Buffer.from("Example CA")])],
])("%s is not equal", (_, name) => {
  expect(comparable(name)).not.toBe(plain);
});

test.each<[string, Buffer]>([
  ["no attribute in the sequence", der(0x30, der(0x31, der(0x30, Buffer.alloc(0))))],
  ["half a character", nameWith([commonName, 0x1e, Buffer.from("abc")])],
  ["a character beyond Unicode", nameWith([commonName, 0x1c, Buffer.from("ffffffff", "hex")])],
  ["a value that is cut off", nameWith([commonName, 0x0c, Buffer.alloc(9)]).subarray(0, -3)],
])("a name with %s cannot be read", (_, name) => {
  expect(() => comparable(name)).toThrow();
});

import type { AnyDesc, DescFile } from "@bufbuild/protobuf";
import { getComments } from "@bufbuild/protoplugin";
import { extensionMark, type Json } from "./json-schema.ts";

/** The content of the comment of a proto element. */
export interface Comment {
  /** In Markdown, with one line per paragraph. */
  readonly text: string;
  /** True if the reference does not have the element. */
  readonly isExtension: boolean;
}

export function commentOf(desc: Exclude<AnyDesc, DescFile>): Comment {
  const raw = getComments(desc).leading ?? "";
  const paragraphs = raw.split(/\n\s*\n/).map((paragraph) => paragraph.replaceAll(/\s*\n\s*/g, " ").trim());
  const text = paragraphs.filter((paragraph) => paragraph !== "").join("\n\n");
  const [mark] = /^Extension[:,] /.exec(text) ?? [];
  if (mark === undefined) return { text, isExtension: false };
  return { text: text.charAt(mark.length).toUpperCase() + text.slice(mark.length + 1), isExtension: true };
}

/** The members of the document that come from a comment. */
export function described(desc: Exclude<AnyDesc, DescFile>): Json {
  const { text, isExtension } = commentOf(desc);
  return { description: text, ...(isExtension ? { [extensionMark]: true } : {}) };
}

/** Returns the first sentence as a title without its full stop, and the whole text. */
export function summarized(text: string): { summary: string; description: string } {
  const end = text.search(/\.(?:\s|$)/);
  const summary = (end === -1 ? text : text.slice(0, end)).replaceAll("`", "");
  return { summary, description: text };
}

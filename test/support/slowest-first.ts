import { relative, resolve } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { slowest } from "../projects.ts";

const root = resolve(import.meta.dirname, "../..");

/** Starts the slowest files of each project first, so that no worker has one left when the others are done. */
export default class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // Vitest's order, in which the files of a project are together. On a fresh clone it begins with the longest texts.
    const byProject = Map.groupBy(await super.sort(files), ({ project }) => project.name);
    return [...byProject.values()].flatMap((ofProject) => ofProject.toSorted((a, b) => rankOf(a) - rankOf(b)));
  }
}

function rankOf({ moduleId }: TestSpecification): number {
  const rank = slowest.indexOf(relative(root, moduleId));
  return rank === -1 ? slowest.length : rank;
}

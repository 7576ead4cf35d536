import { expect, test } from "vitest";
import { closeAll } from "../../src/server/closing.ts";

/** A stack of parts that are closed by name. Those in `failing` throw, at once or later. */
function stackOf(failing: Readonly<Record<string, "at once" | "later">>) {
  const closed: string[] = [];
  const stack = new AsyncDisposableStack();
  for (const name of ["first", "second", "third", "fourth"]) {
    stack.defer(() => {
      closed.push(name);
      if (failing[name] === "at once") throw new Error(`${name} failed`);
      return failing[name] === "later" ? Promise.reject(new Error(`${name} failed`)) : Promise.resolve();
    });
  }
  return { stack, closed };
}

const lastFirst = ["fourth", "third", "second", "first"];

test("closes the last part first, and each part once", async () => {
  const { stack, closed } = stackOf({});
  await closeAll(stack);
  await closeAll(stack);
  expect(closed).toEqual(lastFirst);
});

test("if one part fails, the others are closed, and its error is reported", async () => {
  for (const when of ["at once", "later"] as const) {
    const { stack, closed } = stackOf({ third: when });
    await expect(closeAll(stack)).rejects.toThrow(/^third failed$/);
    expect(closed).toEqual(lastFirst);
  }
});

test("the errors of all parts that fail are reported, in order", async () => {
  const { stack, closed } = stackOf({ fourth: "later", second: "at once", first: "later" });
  const error = await closeAll(stack).then(
    () => null,
    (thrown: unknown) => thrown as AggregateError,
  );
  expect(closed).toEqual(lastFirst);
  expect(error).toBeInstanceOf(AggregateError);
  expect(error?.errors.map(({ message }: Error) => message)).toEqual(["fourth failed", "second failed", "first failed"]);
  expect(error?.message).toBe("3 parts could not be closed: fourth failed; second failed; first failed");
});

/**
 * The default of a `switch` over kinds. A kind without a case does not compile, since what is left is not `never` then. The value is not shown:
 * it may hold a secret.
 */
export function unreachable(_left: never): never {
  throw new Error("a switch met a kind that it has no case for");
}

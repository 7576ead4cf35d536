/**
 * The default case of a `switch` over kinds. A missing case does not compile, because the remaining type is not `never`. The value is not
 * shown, because it may be a secret.
 */
export function unreachable(_left: never): never {
  throw new Error("a switch met a kind that it has no case for");
}

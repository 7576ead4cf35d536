/**
 * A start that fails because of something outside the program, such as a port in use or a database that does not answer. The message says
 * what to do and holds no secret, so it is shown without a stack.
 */
export class StartError extends Error {
  override readonly name = "StartError";
}

/**
 * Closes everything in the stack, last first, even if some of it throws. Then rejects with what was thrown: the error itself if there was
 * one, or an AggregateError of all of them in the order in which they were thrown.
 */
export async function closeAll(stack: AsyncDisposableStack): Promise<void> {
  try {
    await stack.disposeAsync();
  } catch (error) {
    const errors = thrownBy(error);
    if (errors.length === 1) throw error;
    throw new AggregateError(errors, `${errors.length} parts could not be closed: ${errors.map(messageOf).join("; ")}`);
  }
}

/** A stack wraps each further error around the ones before it. */
function thrownBy(error: unknown): unknown[] {
  return error instanceof SuppressedError ? [...thrownBy(error.suppressed), ...thrownBy(error.error)] : [error];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

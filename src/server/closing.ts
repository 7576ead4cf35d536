/**
 * Closes everything in the stack, the last first, whatever any of it throws. Rejects after that with what was thrown: the error itself if it is
 * the only one, else an AggregateError with all of them in the order in which they were thrown.
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

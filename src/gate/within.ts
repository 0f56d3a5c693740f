/**
 * Waits for a promise, for at most so many milliseconds. What the promise stands for is not stopped after that; its result is
 * ignored.
 *
 * @param late makes the error that is thrown when the time is over
 */
export async function within<T>(ms: number, answer: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  try {
    return await Promise.race([answer, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Waits for a promise, for at most `ms` milliseconds. After that, the work behind it goes on but its result is ignored.
 *
 * After a process has stood still, its timers run before it reads what has come meanwhile. So once the time is over, it
 * reads that first.
 *
 * @param late makes the error to throw when the time is over
 */
export async function within<T>(ms: number, answer: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let afterReading: NodeJS.Immediate | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      afterReading = setImmediate(() => reject(late()));
    }, ms);
  });
  try {
    return await Promise.race([answer, timeout]);
  } finally {
    clearTimeout(timer);
    clearImmediate(afterReading);
  }
}

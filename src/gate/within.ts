/**
 * What a promise comes to, waited for at most so many milliseconds. It goes on after that, and what comes of it is nobody's.
 *
 * @param late makes what is thrown where it does not come in time
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

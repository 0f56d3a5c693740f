/** The servers that adapters are tested against. */
export const REDIS_URL = process.env.REDIS_URL ?? "redis://127.0.0.1:6379";
export const DATABASE_URL = process.env.DATABASE_URL ?? "postgres://postgres@127.0.0.1:5432/postgres";

/**
 * Whether a server can be used. Where it cannot, says so in one line, so that nobody takes a skipped suite for a passed
 * one; with `TOLLGATE_SERVICES=required` that is a failure.
 *
 * @param ping connects, asks for something and disconnects; rejects where that fails
 */
export async function serviceAnswers(name: string, ping: () => Promise<unknown>): Promise<boolean> {
  try {
    await ping();
    return true;
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string };
    const why = code ?? message ?? "no reason given";
    if (process.env.TOLLGATE_SERVICES === "required") throw new Error(`${name} is required: ${why}`);
    console.warn(`skipped: no ${name} that these tests can use (${why})`);
    return false;
  }
}

import { setTimeout } from "node:timers/promises";
import { LedgerUnavailableError } from "../model/errors.js";

/**
 * Has a sink do something, which may also throw at once.
 *
 * @param late what it did not do, for people
 * @param ref whether the process stays alive for that, if for nothing else
 * @throws LedgerUnavailableError if it takes longer than `ms` milliseconds. It may still succeed.
 */
export async function inTime(
  work: () => Promise<void> | undefined,
  { ms, late, ref }: { readonly ms: number; readonly late: string; readonly ref: boolean },
): Promise<void> {
  const done = new AbortController();
  const timer = setTimeout(ms, undefined, { signal: done.signal, ref }).then(() => {
    throw new LedgerUnavailableError(`the sink ${late} within ${ms} ms`);
  });
  const doing = async () => work();
  try {
    await Promise.race([doing(), timer]);
  } finally {
    done.abort();
  }
}

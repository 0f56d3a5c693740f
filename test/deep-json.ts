/** Lists in lists, deeper than any request nests. */
export const DEEP = "[".repeat(100_000) + "]".repeat(100_000);

/** Whether this version of Node writes JSON however deep it nests, as those from 26 on do; earlier ones run out of stack. */
export const WRITES_ANY_DEPTH = canBeWritten(JSON.parse(DEEP));

function canBeWritten(value: unknown): boolean {
  try {
    JSON.stringify(value);
    return true;
  } catch {
    return false;
  }
}

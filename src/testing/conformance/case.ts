/** One thing that an adapter has to hold. Any runner takes it: `it(name, run)`. */
export interface ConformanceCase {
  /** What is claimed. No two cases of a suite have the same name. */
  readonly name: string;
  /** Throws an `Error` that says what was found and what was expected, where the claim does not hold. */
  readonly run: () => Promise<void>;
}

/** The cases of one subject, each run on an adapter of its own. */
export type Cases<T> = Readonly<Record<string, (trial: T) => Promise<void>>>;

/**
 * Cases as any runner takes them.
 *
 * @param open makes what a case is run on
 * @param close is called after the case, also where it failed
 */
export function conformanceCases<T>(
  cases: Cases<T>,
  open: () => Promise<T>,
  close: (trial: T) => Promise<void>,
): ConformanceCase[] {
  return Object.entries(cases).map(([name, body]) => ({
    name,
    run: async () => {
      const trial = await open();
      try {
        await body(trial);
      } finally {
        await close(trial);
      }
    },
  }));
}

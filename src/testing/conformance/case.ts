/** One thing that an adapter must do. Any test runner can run it: `it(name, run)`. */
export interface ConformanceCase {
  /** What is claimed. Names are unique within a suite. */
  readonly name: string;
  /**
   * Runs the case. It rejects with an `Error` that says what was found and what was expected if the claim does not
   * hold.
   */
  readonly run: () => Promise<void>;
}

/** The cases about one subject, each run on an adapter of its own. */
export type Cases<T> = Readonly<Record<string, (trial: T) => Promise<void>>>;

/**
 * Cases in the form that any runner takes.
 *
 * @param open makes what a case runs on
 * @param close is called after the case, even if it failed
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

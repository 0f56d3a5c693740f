import { isTollgateError } from "../model/errors.js";
import type { Engine } from "./engine.js";
import { giveBack } from "./outage/degrading.js";
import { closeCounters } from "./outage/guarded-counters.js";
import { within } from "./within.js";

/** How long closing a gate waits for the last uses of keys to be written. Of all it writes they matter least. */
const LAST_USES_MS = 5_000;

/**
 * Waits for the calls under way and closes the parts of a gate. Each step is taken, whichever others fail.
 *
 * @param unwatch stops watching the storage and directory, before all other steps
 * @throws the first failure, except that lost events of the ledger go before any other
 */
export async function closeParts(
  engine: Engine,
  unwatch: readonly ((() => void) | undefined)[],
): Promise<void> {
  const { settings } = engine;
  const steps = [
    ...unwatch.map((stop) => () => stop?.()),
    () => engine.underWay.none(settings.countersTimeoutMs),
    () => giveBack(engine, settings.clock.now()),
    () => settings.ledger?.close(),
    () => closeCounters(settings),
    () => writeLastUses(engine),
    () => settings.storage?.close(),
  ];
  const failures: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length === 0) return;
  throw failures.find((one) => isTollgateError(one, "ledger_unavailable")) ?? failures[0];
}

/** Writes when keys were last used, including by the calls that were under way. */
async function writeLastUses({ lastUsed }: Engine): Promise<void> {
  if (lastUsed === undefined) return;
  await within(
    LAST_USES_MS,
    lastUsed.flush(),
    () => new Error(`the times of the last uses of keys could not be written within ${LAST_USES_MS} ms`),
  );
}

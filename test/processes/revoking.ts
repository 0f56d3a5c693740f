/**
 * A process that asks about keys every few milliseconds: `revoking.ts NAME MAX_AGE_MS WATCH KEY_ID…`. It tells its parent the
 * moment at which each of them was first refused.
 */
import { setTimeout } from "node:timers/promises";
import { createGate, type Storage } from "tollgate";
import { connectStorage } from "./stores.js";

const [name = "", maxAgeMs = "", watch = "", ...keyIds] = process.argv.slice(2);
const { storage } = await connectStorage(name);

/** The same records, of whose changes nobody tells. */
const deaf: Storage = {
  get: (kind, id) => storage.get(kind, id),
  find: (kind, where, page) => storage.find(kind, where, page),
  commit: (changes) => storage.commit(changes),
  close: () => storage.close(),
};
const gate = createGate({
  storage: watch === "watch" ? storage : deaf,
  cache: { maxAgeMs: Number(maxAgeMs) },
});

async function isAdmitted(keyId: string): Promise<boolean> {
  const admission = await gate.admit({ keyId }, { model: "any", inputTokens: 1 });
  if (admission.admitted) await gate.release(admission.reservation);
  return admission.admitted;
}

for (const keyId of keyIds)
  if (!(await isAdmitted(keyId))) throw new Error(`${keyId} is refused from the start`);
process.send?.("ready");
const left = new Set(keyIds);
while (left.size > 0) {
  for (const keyId of left) {
    if (await isAdmitted(keyId)) continue;
    left.delete(keyId);
    process.send?.({ keyId, at: Date.now() });
  }
  await setTimeout(2);
}
await setTimeout(200); // what was sent is on its way
process.exit();

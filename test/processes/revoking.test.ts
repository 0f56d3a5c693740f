import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { createGate } from "tollgate";
import { afterAll, describe, expect, it } from "vitest";
import { serverAnswers } from "../postgres/server.js";
import { bundled } from "./bundled.js";
import { cleanUp, connectStorage, ownName } from "./stores.js";

const PROCESSES = 3;
const KEYS = 8;

/** What a loaded machine may add to a bound: a process that does not run cannot refuse. */
const SLACK_MS = 5_000;

const script = await bundled(join(import.meta.dirname, "revoking.ts"));
afterAll(() => script.remove());

describe.skipIf(!(await serverAnswers()))("a key revoked in one process is refused in the others", () => {
  const name = ownName();
  const children: ChildProcess[] = [];

  afterAll(async () => {
    for (const child of children) child.kill("SIGKILL");
    await cleanUp("Postgres", name);
  });

  /** Milliseconds from each revocation to its first refusal, in every process, ascending. */
  async function delays(maxAgeMs: number, watch: "watch" | "deaf"): Promise<number[]> {
    const { storage, close } = await connectStorage(name);
    const gate = createGate({ storage });
    const olga = gate.as({ userId: "olga" });
    const { id: orgId } = await olga.orgs.create({ name: "Acme" });
    const { id: projectId } = await olga.projects.create({ orgId, name: "Web" });
    const keyIds: string[] = [];
    for (let i = 0; i < KEYS; i++) keyIds.push((await olga.keys.create({ orgId, projectId })).key.id);

    const refusedAt: { readonly keyId: string; readonly at: number }[] = [];
    await Promise.all(
      Array.from({ length: PROCESSES }, () => {
        const child = spawn(process.execPath, [script.path, name, String(maxAgeMs), watch, ...keyIds], {
          stdio: ["ignore", "inherit", "inherit", "ipc"],
        });
        children.push(child);
        return new Promise<void>((resolve, reject) => {
          child.on("message", (said) => {
            if (said === "ready") resolve();
            else refusedAt.push(said as (typeof refusedAt)[number]); // sound: the script says nothing else
          });
          child.once("exit", (code) => reject(new Error(`a process ended with ${code} before it was ready`)));
        });
      }),
    );
    const revokedAt = new Map<string, number>();
    for (const keyId of keyIds) {
      await olga.keys.revoke({ keyId });
      revokedAt.set(keyId, Date.now());
      await setTimeout(50);
    }
    await expect.poll(() => refusedAt.length, { timeout: maxAgeMs + 2 * SLACK_MS }).toBe(PROCESSES * KEYS);
    await gate.close();
    await close();
    return refusedAt.map(({ keyId, at }) => at - (revokedAt.get(keyId) ?? 0)).sort((a, b) => a - b);
  }

  it("at once where the store tells of changes", async () => {
    // A cache that would keep the key for an hour: only being told can help.
    const all = await delays(3_600_000, "watch");
    print("with notifications", all);
    expect(all.at(-1)).toBeLessThan(SLACK_MS);
  }, 90_000);

  it("within maxAgeMs with the notifications cut off", async () => {
    // Above the slack, so that a cache that keeps keys for twice as long is noticed.
    const maxAgeMs = 6_000;
    const all = await delays(maxAgeMs, "deaf");
    print(`without, maxAgeMs ${maxAgeMs}`, all);
    expect(all.at(-1)).toBeLessThan(maxAgeMs + SLACK_MS);
  }, 90_000);
});

function print(how: string, ascending: readonly number[]): void {
  const median = ascending[Math.floor(ascending.length / 2)];
  console.info(
    `revoked elsewhere, ${how}: refused after ${median} ms (median), ${ascending.at(-1)} ms (worst)`,
  );
}

import type { Limit } from "../../admission/limit.js";
import type { Cases } from "./case.js";
import { check, claim } from "./check.js";
import { budget, type CountersTrial, limitOf } from "./counters-trial.js";
import { ILL_FORMED, incompressible, ORDINARY_NAMES } from "./hostile-names.js";

const NAMES = [...ORDINARY_NAMES, "x".repeat(10_000), incompressible(10_000)];

/** Ids and names, whatever they contain. */
export const names: Cases<CountersTrial> = {
  "orgs, scopes, fields and reservations of every name are ordinary, and apart": async (trial) => {
    const limits = new Map<string, readonly Limit[]>();
    for (const [i, name] of NAMES.entries()) {
      const orgId = short(name);
      const own = limitOf({ tpm: 1_000 }, { id: name, orgId });
      const ofOrg = limitOf(budget(1_000, "monthly"), { kind: "org", id: orgId, orgId });
      limits.set(name, [own, { ...own, field: `tokens/minute/${name}` }, ofOrg]);
      trial.orgId = orgId;
      const amounts = (limits.get(name) ?? []).map((limit, j) => [limit, i + 1 + j] as const);
      await trial.reserved(orgId, amounts, { idempotency: { key: name, fingerprint: name } });
    }
    for (const [i, name] of NAMES.entries()) {
      const orgId = short(name);
      trial.orgId = orgId;
      const own = limits.get(name) ?? [];
      const what = JSON.stringify(name.slice(0, 40));
      const before = own.map((limit, j) => [limit, i + 1 + j] as const);
      await trial.holds(`of ${what}`, before);
      const again = await trial.reserve(`again ${orgId}`, trial.charges(before), {
        idempotency: { key: name, fingerprint: name },
      });
      check(`again under the idempotency key ${what}`, "id" in again ? again.id : again.outcome, orgId);
      check(
        `settle of ${what}`,
        (
          await trial.settled(
            orgId,
            own.map((limit) => [limit, 7] as const),
          )
        ).used,
        [7, 7, 7],
      );
    }
  },

  "scopes of one org, and fields of one scope, are apart whatever they are called": async (trial) => {
    const scopes = NAMES.map((id) => limitOf({ tpm: 1_000 }, { id }));
    const one = limitOf({ tpm: 1_000 });
    const fields = NAMES.map((name) => ({ ...one, field: `tokens/minute/${name}` }));
    const amounts = [...scopes, ...fields].map((limit, i) => [limit, i + 1] as const);
    await trial.reserved("a", amounts);
    await trial.holds("after it", amounts);
  },

  "what is named like a property of every object is not there until it is charged": async (trial) => {
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty", ""]) {
      trial.orgId = name || "o1";
      const limit: Limit = { ...limitOf({ tpm: 10 }), scopeKey: name, field: name };
      await trial.holds(`of ${JSON.stringify(name)}`, [[limit, 0]]);
      check(`settle of ${JSON.stringify(name)}`, await trial.settle(name, trial.charges([[limit, 0]])), {
        outcome: "unknown_reservation",
      });
      await trial.reserved(`r${name}`, [[limit, 1]], { idempotency: { key: name, fingerprint: name } });
      await trial.holds(`of ${JSON.stringify(name)} when charged`, [[limit, 1]]);
    }
  },

  "text with half of a surrogate pair is ordinary or refused, and never taken for another": async (trial) => {
    for (const [i, name] of ILL_FORMED.entries()) {
      const amounts = [[named(name), i + 1]] as const;
      const isAdmitted = await answers(() => trial.reserve(name, trial.charges(amounts)));
      for (const other of ILL_FORMED.slice(i + 1)) {
        const seen = await answers(() => trial.used([named(other)]));
        if (seen) check(`used of ${JSON.stringify(other)}`, seen, [0]);
        const settled = await answers(() => trial.settle(other, trial.charges(amounts)));
        if (settled) check(`settle of ${JSON.stringify(other)}`, settled.outcome, "unknown_reservation");
      }
      if (isAdmitted) await trial.holds(`of ${JSON.stringify(name)}`, amounts);
    }
  },

  "orgs are apart: the same ids in another org are other counts": async (trial) => {
    const inOrg = (orgId: string) => [
      limitOf({ tpm: 100 }, { orgId }),
      limitOf(budget(100, "daily"), { kind: "project", orgId }),
      limitOf({ inFlight: 1 }, { kind: "member", orgId }),
    ];
    const orgs = ["o1", "o2", "o", "o1,o2", '["o1"]'];
    for (const orgId of orgs) {
      trial.orgId = orgId;
      await trial.reserved(
        `a of ${orgId}`,
        inOrg(orgId).map((limit) => [limit, 1] as const),
      );
    }
    trial.orgId = "o1";
    await trial.settled(
      "a of o1",
      inOrg("o1").map((limit) => [limit, 0] as const),
    );
    for (const orgId of orgs) {
      trial.orgId = orgId;
      const used = orgId === "o1" ? 0 : 1;
      await trial.holds(
        `of ${orgId}`,
        inOrg(orgId).map((limit) => [limit, used] as const),
      );
    }
  },

  "scopes of one id but of different kinds, and fields of one scope, are apart": async (trial) => {
    const limits = [
      ...(["org", "project", "member", "key"] as const).map((kind) =>
        limitOf({ tpm: 100 }, { kind, id: "same" }),
      ),
      limitOf({ inputTpm: 100 }, { id: "same" }),
      limitOf({ tpd: 100 }, { id: "same" }),
      limitOf({ perModel: { "*": { tpm: 100 } } }, { id: "same" }),
      limitOf(budget(100, "daily"), { id: "same" }),
      limitOf(budget(100, "never"), { id: "same" }),
    ];
    const amounts = limits.map((limit, i) => [limit, i + 1] as const);
    await trial.reserved("a", amounts);
    await trial.holds("after it", amounts);
    claim("limits", new Set(limits.map(({ scopeKey, field }) => scopeKey + field)).size === limits.length);
  },
};

/** As long as an id may be; those of reservations are the gate's own, and shorter. */
function short(name: string): string {
  return name.length > 200 ? `${name.slice(0, 190)}…` : name;
}

function named(name: string): Limit {
  return { ...limitOf({ tpm: 100 }), scopeKey: name, field: name };
}

/** What a call answers; undefined where it is refused by an error. */
async function answers<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch {
    return undefined;
  }
}

import { scopeLimits } from "../../admission/compiled-chain.js";
import { ConflictError, LimitError, NotFoundError } from "../../model/errors.js";
import {
  type CreditGrantAtVersion,
  type CreditQuery,
  creditSchemas,
  type NewCreditGrant,
} from "../../model/inputs/credits.js";
import type { OrgById } from "../../model/inputs/orgs.js";
import { MAX_USD, NANO_PER_USD, nanoUsd, usdOf, usdText } from "../../model/money.js";
import type { Records } from "../../model/records.js";
import { parse } from "../../model/validation.js";
import { guarded } from "../outage/guarded-counters.js";
import type { Control } from "./control.js";
import { newId } from "./new-id.js";
import { type Listed, listPage, mapped } from "./paging.js";
import { type View, viewOf } from "./views.js";

/** A grant of credit, with its amount in US dollars besides nano-USD. */
export type CreditGrant = View<"creditGrant"> & { readonly usd: number };

/** The credit of an org, in US dollars. */
export interface CreditBalance {
  /** All grants that were not revoked. */
  readonly grantedUsd: number;
  /** What was spent, open reservations included. */
  readonly spentUsd: number;
  /** What is left: zero or more. */
  readonly remainingUsd: number;
}

/** Money that an org has paid in advance. An org that was never granted any is bound by its budgets alone. */
export interface Credits {
  /**
   * Grants an org money to spend. From its first grant on, an org can spend only its credit.
   *
   * @throws LimitError if all grants together would exceed 9,000,000 US dollars
   * @throws ConflictError if a grant has the id
   */
  grant(input: NewCreditGrant): Promise<CreditGrant>;
  /** Lists the grants of an org by id, including revoked ones. */
  list(input: CreditQuery): Promise<Listed<CreditGrant>>;
  /**
   * Revokes a grant. What was spent of it stays spent.
   *
   * @throws NotFoundError if it does not exist or the actor may not see it
   * @throws ConflictError if it is revoked already
   */
  revoke(input: CreditGrantAtVersion): Promise<CreditGrant>;
  /**
   * Reads what was granted, what was spent and what is left, in US dollars.
   *
   * @throws NotFoundError if the org does not use credits
   * @throws CountersUnavailableError if the counters did not answer
   */
  balance(input: OrgById): Promise<CreditBalance>;
}

export function creditsOf(control: Control): Credits {
  const { engine, storage } = control;
  return {
    async grant(input) {
      const { orgId, id, usd, note } = parse(creditSchemas.grant, input, "creditGrant");
      const grantId = id ?? newId("credit", control.now());
      const ask = { action: "credit.grant", permission: "billing.manage" } as const;
      return control.write(ask, { orgId }, { kind: "creditGrant", id: grantId }, async (draft) => {
        const granted = draft.creditsNanoUsd ?? 0;
        const amount = nanoUsd(usd);
        if (granted + amount > MAX_USD * NANO_PER_USD) {
          throw new LimitError(
            "usd",
            `at most ${MAX_USD} USD together with the ${usdText(granted)} USD granted so far`,
          );
        }
        draft.creditsNanoUsd = granted + amount;
        const made = {
          id: grantId,
          orgId,
          createdAt: draft.now,
          nanoUsd: amount,
          note,
          status: "granted",
        } as const;
        return seen(draft.create("creditGrant", made));
      });
    },

    async list(input) {
      const { orgId, ...page } = parse(creditSchemas.list, input, "creditGrant");
      return control.read("billing.view", { orgId }, async () =>
        mapped(await listPage(storage, "creditGrant", { orgId }, page), seen),
      );
    },

    async revoke(input) {
      const { creditGrantId, ...of } = parse(creditSchemas.revoke, input, "creditGrant");
      const ask = { action: "credit.revoke", permission: "billing.manage" } as const;
      return control.writeTo(ask, "creditGrant", { id: creditGrantId, ...of }, async (grant, draft) => {
        if (grant.status === "revoked")
          throw new ConflictError(`grant ${JSON.stringify(creditGrantId)} is revoked`);
        draft.creditsNanoUsd = (draft.creditsNanoUsd ?? 0) - grant.nanoUsd;
        return seen(draft.replace("creditGrant", grant, { status: "revoked" }));
      });
    },

    async balance(input) {
      const { orgId } = parse(creditSchemas.balance, input, "creditGrant");
      return control.read("billing.view", { orgId }, async () => {
        const found = await engine.directory.scope?.({ orgId });
        const limit =
          found && scopeLimits(found, engine.limitCache).find(({ window }) => window.name === "credits");
        if (limit === undefined) throw new NotFoundError("credit of org", orgId);
        const query = { orgId, now: control.now(), charges: [{ limit, amount: 0 }] };
        const [reading] = await guarded(engine.settings).read(query);
        const used = reading?.used ?? 0;
        return {
          grantedUsd: usdOf(limit.max),
          spentUsd: usdOf(used),
          remainingUsd: usdOf(Math.max(0, limit.max - used)),
        };
      });
    },
  };
}

function seen(grant: Records["creditGrant"]): CreditGrant {
  return { ...viewOf("creditGrant", grant), usd: usdOf(grant.nanoUsd) };
}

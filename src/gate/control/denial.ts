import { LastOwnerError, LimitError, type NotFoundError, PermissionError } from "../../model/errors.js";
import { masked } from "../../model/masked.js";
import type { Acting } from "./actor.js";
import type { Doer } from "./draft.js";

/** A denial of which the actor is told as if there were no such record. */
export class Hidden extends Error {
  /** What the actor is told. */
  readonly shown: NotFoundError;
  /** What the audit trail is told. */
  readonly denied: PermissionError;

  constructor(shown: NotFoundError, denied: PermissionError) {
    super();
    this.shown = shown;
    this.denied = denied;
  }
}

/** What the audit trail is told of an attempt that failed so; undefined where it failed, but was not denied. */
export function reasonOfDenial(error: unknown): string | undefined {
  const denial = error instanceof Hidden ? error.denied : error;
  for (const type of [PermissionError, LimitError, LastOwnerError]) {
    if (denial instanceof type) return denial.message;
  }
  return undefined;
}

/** Who acts, for the audit trail. */
export function doerOf({ principal: { userId, via } }: Acting): Doer {
  return { userId, keyId: via?.keyId };
}

/** Who made an attempt that was denied. Of somebody who is not in the org the id is masked: a token may have been given in its place. */
export function deniedDoerOf(acting: Acting): Doer {
  const { userId, keyId } = doerOf(acting);
  const isKnown = acting.principal.orgRole !== undefined;
  return { userId: isKnown ? userId : masked(userId), keyId };
}

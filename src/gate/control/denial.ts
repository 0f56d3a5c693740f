import { LastOwnerError, LimitError, type NotFoundError, PermissionError } from "../../model/errors.js";
import { masked } from "../../model/masked.js";
import type { Acting } from "./actor.js";
import type { Doer } from "./draft.js";

/** A denial that the actor is told as if the record did not exist. */
export class Hidden extends Error {
  /** What the actor is told. */
  readonly shown: NotFoundError;
  /** What the audit trail records. */
  readonly denied: PermissionError;

  constructor(shown: NotFoundError, denied: PermissionError) {
    super();
    this.shown = shown;
    this.denied = denied;
  }
}

/** The reason of a denied attempt for the audit trail. Undefined if the attempt failed for another reason. */
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

/**
 * Who made a denied attempt. For somebody who is not in the org the id is masked, since a token may have been passed in
 * its place.
 */
export function deniedDoerOf(acting: Acting): Doer {
  const { userId, keyId } = doerOf(acting);
  const isKnown = acting.principal.orgRole !== undefined;
  return { userId: isKnown ? userId : masked(userId), keyId };
}

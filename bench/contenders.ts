import type { Contender } from "./contender.js";

/**
 * Every contender by name. Each is loaded only in the process that runs it, so that no heap holds the things of another.
 *
 * The parameter is what a race varies: which questions, or how many keys.
 */
const CONTENDERS = {
  "authorize/tollgate": async (asked) => (await import("./authorize/tollgate.js")).contender(asked),
  "authorize/tollgate-extended": async (asked) => (await import("./authorize/extended.js")).contender(asked),
  "policy/prove": async () => (await import("./policy/proof.js")).proof(),
  "policy/cells": async () => (await import("./policy/proof.js")).enumeration(),
  "authorize/casl": async (asked) => (await import("./authorize/casl.js")).contender(asked),
  "authorize/casbin": async (asked) => (await import("./authorize/casbin.js")).contender(asked),
  "authorize/bitmask": async (asked) => (await import("./authorize/bitmask.js")).contender(asked),
  "admit/tollgate-by-id": async (keys) => (await import("./admit/tollgate.js")).admitById(Number(keys)),
  "admit/tollgate-by-token": async (keys) => (await import("./admit/tollgate.js")).admitByToken(Number(keys)),
  "admit/tollgate-first": async (keys) => (await import("./admit/tollgate.js")).admitFirst(Number(keys)),
  "admit/tollgate-open": async (keys) => (await import("./admit/tollgate.js")).admitWhileOpen(Number(keys)),
  "admit/tollgate-storage": async (keys) =>
    (await import("./admit/tollgate.js")).admitOverStorage(Number(keys)),
  "admit/tollgate-request-id": async (keys) =>
    (await import("./admit/tollgate.js")).admitWithRequestId(Number(keys)),
  "admit/tollgate-byok": async (keys) => (await import("./admit/tollgate.js")).admitByok(Number(keys)),
  "admit/tollgate-ledger": async (keys) =>
    (await import("./admit/tollgate.js")).admitWithLedger(Number(keys)),
  "admit/tollgate-headers": async (keys) =>
    (await import("./admit/tollgate.js")).admitWithHeaders(Number(keys)),
  "admit/tollgate-check": async (keys) => (await import("./admit/tollgate.js")).check(Number(keys)),
  "admit/tollgate-refused": async (keys) => (await import("./admit/tollgate.js")).refused(Number(keys)),
  "admit/flexible-in-turn": async (keys) => (await import("./admit/flexible.js")).consumeInTurn(Number(keys)),
  "admit/flexible-at-once": async (keys) => (await import("./admit/flexible.js")).consumeAtOnce(Number(keys)),
  "admit/flexible-refused": async (keys) => (await import("./admit/flexible.js")).refused(Number(keys)),
  "admit/bare": async (keys) => (await import("./admit/bare.js")).contender(Number(keys)),
  "admit/plain": async (keys) => (await import("./admit/plain.js")).contender(Number(keys)),
} as const satisfies Record<string, (parameter: string) => Promise<Contender>>;

export type ContenderName = keyof typeof CONTENDERS;

export function contenderOf(name: string, parameter: string): Promise<Contender> {
  if (!Object.hasOwn(CONTENDERS, name)) throw new Error(`no contender is called ${name}`);
  return CONTENDERS[name as ContenderName](parameter); // sound: it is a key
}

import type { Served } from "./served.js";

/** Every contender by name, as in `../contenders.ts`. The parameter is what a race varies. */
const CONTENDERS = {
  "postgres/tollgate": async (parameter) =>
    (await import("../postgres/tollgate.js")).admitAndSettle(parameter),
  "postgres/flexible-in-turn": async (parameter) =>
    (await import("../postgres/flexible.js")).consumeInTurn(parameter),
  "postgres/flexible-at-once": async (parameter) =>
    (await import("../postgres/flexible.js")).consumeAtOnce(parameter),
  "sqlite/tollgate": async () => (await import("../sqlite/tollgate.js")).admit(),
  "sqlite/bare": async () => (await import("../sqlite/bare.js")).insert(),
} as const satisfies Record<string, (parameter: string) => Promise<Served>>;

export type ServedName = keyof typeof CONTENDERS;

export function servedOf(name: string, parameter: string): Promise<Served> {
  if (!Object.hasOwn(CONTENDERS, name)) throw new Error(`no contender is called ${name}`);
  return CONTENDERS[name as ServedName](parameter); // sound: it is a key
}

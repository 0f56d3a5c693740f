import { COUNTING, READINGS } from "./counting.js";

/**
 * Reads counts and changes nothing.
 *
 *   KEYS      the scopes
 *   ARGV[1]   numbers, with the charges, see counting.ts
 *   ARGV[2…]  field of each charge
 *
 * Replies `{now, server's time, …}` and for each charge used, fitsAt and emptyAt.
 */
export const READ = `${COUNTING}${READINGS}
load(1, 2)
return readings({now, raw})
`;

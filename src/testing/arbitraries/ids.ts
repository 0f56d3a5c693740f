/** Ids that are ordinary, and that careless code takes for something else: what every object inherits, numbers, blanks. */
export const HOSTILE_IDS = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "0",
  " ",
  "a/b",
  "*",
] as const;

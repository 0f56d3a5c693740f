/** Ordinary ids that careless code mistakes for something else: names that every object inherits, numbers, blanks. */
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

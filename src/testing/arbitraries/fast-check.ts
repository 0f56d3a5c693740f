/**
 * fast-check, as its user has imported it: `import fc from "fast-check"`.
 *
 * It is taken as an argument, so that there is never a second copy of it with other settings. Its types are its own: an
 * `Arbitrary` reaches a class with private members, which nothing but that class is assignable to.
 */
export type FastCheck = typeof import("fast-check").default;

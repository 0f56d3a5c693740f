/**
 * fast-check as you imported it: `import fc from "fast-check"`.
 *
 * It is passed as an argument, so that there is never a second copy with other settings. Its own type is used because
 * an `Arbitrary` contains a class with private members, to which nothing but that class is assignable.
 */
export type FastCheck = typeof import("fast-check").default;

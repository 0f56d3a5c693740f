import fc from "fast-check";

/** Any code point, lone halves of surrogate pairs among them. fast-check's own unit takes a second to make. */
const codePoint = fc.integer({ min: 0, max: 0x10ffff }).map((code) => String.fromCodePoint(code));

/** Any string at all. */
export function anyString(constraints: { readonly maxLength?: number } = {}) {
  return fc.string({ ...constraints, unit: codePoint });
}

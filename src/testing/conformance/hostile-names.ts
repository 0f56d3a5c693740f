import { seededRandom } from "../random.js";

/** Well-formed text that objects, databases or protocols treat in their own way. All of it is ordinary here. */
export const ORDINARY_NAMES: readonly string[] = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "a'b",
  'a"b',
  "a\\b",
  "a`b",
  "a%b",
  "a_b",
  "a*b",
  "a?b",
  "a[b]",
  "{a}b",
  "}{",
  "{",
  "}",
  "a:b",
  "a/b",
  "a,b",
  '["key","o1","key1"]',
  "a b",
  " a",
  "a ",
  " ",
  "a\nb",
  "a\r\nb",
  "a\u0000b",
  "a\u0000c",
  "\u0000",
  "$1",
  "; --",
  "0",
  "00",
  "1e3",
  "-1",
  "null",
  "undefined",
  "A",
  "a",
  "é",
  "e\u0301",
  "ß",
  "ss",
  "İ",
  "🚀",
  "\uffff",
  "\u2028",
];

/** Text with half of a surrogate pair, which UTF-8 has no form for. */
export const ILL_FORMED: readonly string[] = ["\ud800", "\ud801", "a\udfff", "\ufffd"];

/** Text that no index or page can make shorter. */
export function incompressible(length: number): string {
  const random = seededRandom(length);
  return Array.from({ length }, () => String.fromCharCode(33 + Math.floor(random() * 94))).join("");
}

/** Patterns of what may be called; null or absent says nothing. */
export type AllowList = readonly string[] | null | undefined;

/** The models that both patterns match, as a pattern; undefined where there are none. */
export function intersection(a: string, b: string): string | undefined {
  const [short, long] = [a.split("/"), b.split("/")].sort((x, y) => x.length - y.length) as [
    string[],
    string[],
  ]; // sound: sorting keeps both
  const isOpen = short.at(-1) === "*";
  if (short.length !== long.length && !isOpen) return undefined;
  // A `*` at the end of the longer one goes on, unless the other one, as long, ends there.
  const segments = long.map((segment, i) => (i < short.length ? shared(short[i] ?? "", segment) : segment));
  return segments.every((segment) => segment !== undefined) ? segments.join("/") : undefined;
}

function shared(a: string, b: string): string | undefined {
  if (a === "*") return b;
  return b === "*" || a === b ? a : undefined;
}

/** Whether every model that `inner` matches is matched by `outer`. */
export function contains(outer: string, inner: string): boolean {
  return intersection(outer, inner) === inner;
}

/**
 * The first entry of a list that another list does not cover; undefined where it covers them all.
 *
 * A virtual model is covered where the other list names it, or covers each of its targets.
 */
export function firstOutside(
  inner: readonly string[],
  outer: AllowList,
  virtualModels: Readonly<Record<string, readonly string[]>> = {},
): string | undefined {
  if (outer == null) return undefined;
  const covered = (entry: string) => outer.some((pattern) => contains(pattern, entry));
  return inner.find((entry) => {
    const targets = Object.hasOwn(virtualModels, entry) ? virtualModels[entry] : undefined;
    return !covered(entry) && !targets?.every(covered);
  });
}

/** What all the lists allow, as one list; null where none of them says anything. */
export function intersectLists(lists: readonly AllowList[]): string[] | null {
  return lists.reduce<string[] | null>((left, list) => {
    if (list == null) return left;
    if (left === null) return [...list];
    const both = left.flatMap((a) => list.flatMap((b) => intersection(a, b) ?? []));
    return [...new Set(both)].filter(
      (entry, i, all) => !all.some((other, j) => j !== i && contains(other, entry)),
    );
  }, null);
}

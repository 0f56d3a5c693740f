/** Patterns of what may be called. `null` or absent: no restriction. */
export type AllowList = readonly string[] | null | undefined;

/** A pattern split at its slashes, so that long lists are split once rather than for each pair of entries. */
type Segments = readonly string[];

/** The pattern of the models that both patterns match, split at its slashes. Undefined if there are none. */
function meet(a: Segments, b: Segments): Segments | undefined {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  if (short.length !== long.length && short.at(-1) !== "*") return undefined;
  for (let i = 0; i < short.length; i++) {
    if (short[i] !== long[i] && short[i] !== "*" && long[i] !== "*") return undefined;
  }
  // Where the longer one has a `*`, the shorter one decides; beyond the end of the shorter one, which is a `*`,
  // anything matches.
  return long.map((segment, i) => (segment === "*" ? (short[i] ?? "*") : segment));
}

/** Whether `outer` matches every model that `inner` matches. */
export function contains(outer: string, inner: string): boolean {
  return covers(outer.split("/"), inner.split("/"));
}

function covers(outer: Segments, inner: Segments): boolean {
  if (outer.length !== inner.length && !(outer.length < inner.length && outer.at(-1) === "*")) return false;
  return outer.every((segment, i) => segment === "*" || segment === inner[i]);
}

/**
 * The first entry of a list that another list does not cover. Undefined if it covers all of them.
 *
 * A virtual model is covered if the other list names it, or covers each of its targets.
 */
export function firstOutside(
  inner: readonly string[],
  outer: AllowList,
  virtualModels: Readonly<Record<string, readonly string[]>> = {},
): string | undefined {
  if (outer == null) return undefined;
  const patterns = outer.map((pattern) => pattern.split("/"));
  const covered = (entry: string) => {
    const segments = entry.split("/");
    return patterns.some((pattern) => covers(pattern, segments));
  };
  return inner.find((entry) => {
    const targets = Object.hasOwn(virtualModels, entry) ? virtualModels[entry] : undefined;
    return !covered(entry) && !targets?.every(covered);
  });
}

/**
 * Two lists can have as many patterns in common as the product of their lengths. More than this many are not computed.
 */
const ENTRIES_MAX = 1_000;

/**
 * What all the lists allow, as one list of at most 1,000 entries, none of which is contained in another. `null` if no
 * list restricts anything.
 */
export function intersectLists(lists: readonly AllowList[]): string[] | null {
  return lists.reduce<string[] | null>((left, list) => {
    if (list == null) return left;
    if (left === null) return [...list];
    const both = minimal(entriesOfBoth(left, list).map((entry) => entry.split("/")));
    return both.map((segments) => segments.join("/"));
  }, null);
}

function entriesOfBoth(left: readonly string[], right: readonly string[]): string[] {
  const others = right.map((pattern) => pattern.split("/"));
  const both = new Set<string>();
  for (const pattern of left) {
    const segments = pattern.split("/");
    for (const other of others) {
      const shared = meet(segments, other);
      if (shared !== undefined) both.add(shared.join("/"));
      if (both.size === ENTRIES_MAX) return [...both];
    }
  }
  return [...both];
}

function minimal(entries: readonly Segments[]): readonly Segments[] {
  return entries.filter((entry, i) => !entries.some((other, j) => j !== i && covers(other, entry)));
}

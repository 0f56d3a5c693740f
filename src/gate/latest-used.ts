import { LRUCache } from "lru-cache";

/** A cache of at most so many values by name. What was not used for longest goes first. */
export type LatestUsed<V extends object | number> = LRUCache<string, V>;

/**
 * An empty one. It takes memory as it fills: given `max`, lru-cache takes that of all entries at once, which cost every gate
 * some milliseconds and half a megabyte, so each entry has a size of one and the limit is on their sum.
 *
 * @param max how many values are kept
 * @param onGone is told of each value that is not kept any more
 */
export function latestUsed<V extends object | number>(
  max: number,
  onGone?: (value: V) => void,
): LatestUsed<V> {
  return new LRUCache({
    maxSize: max,
    sizeCalculation: () => 1,
    ...(onGone && { dispose: (value: V) => onGone(value) }),
  });
}

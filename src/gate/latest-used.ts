import { LRUCache } from "lru-cache";

/** A cache of a bounded number of values. The one unused for longest is dropped first. */
export type LatestUsed<V extends object | number> = LRUCache<string, V>;

/**
 * Makes an empty cache that takes memory as it fills. Given `max`, lru-cache allocates for all entries at once, which
 * costs a gate some milliseconds and 0.9 MB. So each entry has a size of one, and the bound is on their sum.
 *
 * @param max how many values are kept
 * @param onGone called with each value that is dropped
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

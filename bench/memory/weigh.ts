/** What a process holds after something was put into it, in bytes. */
export interface Weight {
  /** Of the JavaScript heap and of what lies outside it for array buffers, after garbage collection. */
  readonly heapBytes: number;
  readonly arrayBufferBytes: number;
  /** What the operating system has given. Pages that garbage lay in are among them. */
  readonly rssBytes: number;
}

/** Fills, and tells how much heavier the process is. Needs `--expose-gc`. */
export async function weigh(fill: () => Promise<unknown>): Promise<Weight> {
  const before = settled();
  const filled = await fill();
  const after = settled();
  if (filled === undefined) throw new Error("what is weighed has to be held");
  return {
    heapBytes: after.heapUsed - before.heapUsed,
    arrayBufferBytes: after.arrayBuffers - before.arrayBuffers,
    rssBytes: after.rss - before.rss,
  };
}

function settled(): NodeJS.MemoryUsage {
  if (gc === undefined) throw new Error("run with --expose-gc");
  for (let i = 0; i < 4; i++) gc();
  return process.memoryUsage();
}

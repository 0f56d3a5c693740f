import type { ChildProcess } from "node:child_process";

/**
 * The next thing that a worker says, which has to be of one kind. Rejects where it is another, and where the worker ends.
 *
 * @template M everything that such a worker says
 */
export function heard<M extends { readonly kind: string }, K extends M["kind"]>(
  child: ChildProcess,
  kind: K,
): Promise<Extract<M, { kind: K }>> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`a worker ended with ${code}`));
    child.once("exit", ended);
    child.once("message", (message) => {
      child.off("exit", ended);
      const said = message as M; // sound: a worker says nothing else
      if (said.kind === kind) resolve(said as Extract<M, { kind: K }>);
      else reject(new Error(`a worker said ${said.kind}, expected ${kind}`));
    });
  });
}

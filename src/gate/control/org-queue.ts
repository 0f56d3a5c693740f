/** Makes the writes of one org in this process wait for each other, so that they only conflict with other processes. */
export class OrgQueue {
  readonly #tails = new Map<string, Promise<unknown>>();

  async run<T>(orgId: string, task: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(orgId);
    const turn = before === undefined ? task() : before.then(task, task);
    this.#tails.set(orgId, turn);
    try {
      return await turn;
    } finally {
      if (this.#tails.get(orgId) === turn) this.#tails.delete(orgId);
    }
  }
}

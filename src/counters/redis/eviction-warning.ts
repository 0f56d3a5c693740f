import type { Connection } from "./client.js";

/** INFO rather than CONFIG, since managed servers allow it. By EVAL, which every client has. */
const POLICY = `
local info = redis.call('INFO', 'memory')
return string.match(type(info) == 'table' and info.txt or info, 'maxmemory_policy:(%S+)') or ''
`;

/** Warns once per instance if the server may drop counters to make room: a dropped count starts again at zero. */
export class EvictionWarning {
  readonly #connection: Connection;
  readonly #key: string;
  #looked = false;

  /** @param key any key with our prefix; in a cluster, the node that holds it is asked */
  constructor(connection: Connection, key: string) {
    this.#connection = connection;
    this.#key = key;
  }

  /**
   * Asks the server once, after the first reply that arrives. If the server does not reveal its policy, there is no
   * warning.
   */
  look(reply: Promise<unknown>): void {
    if (this.#looked) return;
    this.#looked = true;
    reply
      .then(
        async () => warn(String(await this.#connection.eval(POLICY, [this.#key], []))),
        () => {
          this.#looked = false; // not connected yet
        },
      )
      .catch(() => {});
  }
}

function warn(policy: string): void {
  if (policy === "" || policy === "noeviction") return;
  process.emitWarning(
    `Redis has maxmemory-policy ${policy} and may evict counters, which then start again at zero. Set it to noeviction.`,
    { type: "TollgateWarning", code: "TOLLGATE_REDIS_EVICTION" },
  );
}

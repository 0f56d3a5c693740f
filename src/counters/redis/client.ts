/** An argument of a script. */
export type Argument = string;

/** The part of an ioredis client or Cluster that is used. */
export interface IoredisClient {
  evalsha(sha1: string, numberOfKeys: number, ...keysAndArguments: Argument[]): Promise<unknown>;
  eval(script: string, numberOfKeys: number, ...keysAndArguments: Argument[]): Promise<unknown>;
}

/** The part of a node-redis client, cluster, pool or sentinel that is used. */
export interface NodeRedisClient {
  evalSha(sha1: string, options: { keys: string[]; arguments: Argument[] }): Promise<unknown>;
  eval(script: string, options: { keys: string[]; arguments: Argument[] }): Promise<unknown>;
}

/** A client of ioredis or node-redis whose commands answer with promises. */
export type RedisClient = IoredisClient | NodeRedisClient;

/** Runs scripts with the client of either library. */
export interface Connection {
  evalsha(sha1: string, keys: string[], args: Argument[]): Promise<unknown>;
  eval(script: string, keys: string[], args: Argument[]): Promise<unknown>;
}

/** Whether a value is a client that {@link connectionOf} knows. */
export function isRedisClient(value: unknown): value is RedisClient {
  const has = (name: string) => typeof Reflect.get(Object(value), name) === "function";
  // The `legacy()` client of node-redis has commands of the same names that take callbacks. It alone cannot connect.
  const isLegacy = has("sendCommand") && !has("connect");
  return has("eval") && (has("evalsha") || has("evalSha")) && !isLegacy;
}

export function connectionOf(client: RedisClient): Connection {
  if ("evalsha" in client) {
    return {
      evalsha: (sha1, keys, args) => client.evalsha(sha1, keys.length, ...keys, ...args),
      eval: (script, keys, args) => client.eval(script, keys.length, ...keys, ...args),
    };
  }
  return {
    evalsha: (sha1, keys, args) => client.evalSha(sha1, { keys, arguments: args }),
    eval: (script, keys, args) => client.eval(script, { keys, arguments: args }),
  };
}

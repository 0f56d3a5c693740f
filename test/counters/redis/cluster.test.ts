import { Cluster, type Redis } from "ioredis";
import { createCluster } from "redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RedisClient } from "../../../src/redis.js";
import { eventually } from "../../eventually.js";
import { reserve, settle, used } from "../calls.js";
import { OwnServer, serversCanBeStarted } from "./own-server.js";
import { countersOver, ioredisClient, keysOf } from "./server.js";

const SLOTS = 16_384;
const NODES = 3;

/** Three nodes on loopback that know each other and share all slots, without replicas. */
async function startCluster(): Promise<OwnServer[]> {
  const options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "10000", "--save", ""];
  const nodes = await Promise.all(Array.from({ length: NODES }, () => OwnServer.start(...options)));
  const clients = nodes.map(({ url }) => ioredisClient(url));
  try {
    for (const [i, client] of clients.entries()) {
      const [from, to] = [Math.ceil((i * SLOTS) / NODES), Math.ceil(((i + 1) * SLOTS) / NODES)];
      await client.cluster("ADDSLOTS", ...Array.from({ length: to - from }, (_, slot) => from + slot));
      for (const { port } of nodes) await client.cluster("MEET", "127.0.0.1", port);
    }
    await eventually(
      async () => {
        for (const client of clients) if (!(await isWhole(client))) throw new Error("not whole yet");
      },
      { interval: 100 },
    );
  } catch (error) {
    await Promise.all(nodes.map((node) => node.remove()));
    throw error;
  } finally {
    for (const client of clients) client.disconnect();
  }
  return nodes;
}

async function isWhole(client: Redis): Promise<boolean> {
  const info = await client.cluster("INFO");
  return info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${NODES}`);
}

describe.skipIf(!(await serversCanBeStarted()))("a cluster of three nodes", () => {
  let nodes: OwnServer[] = [];
  const clients = new Map<string, RedisClient>();
  const ends: (() => unknown)[] = [];
  beforeAll(async () => {
    nodes = await startCluster();
    const ioredis = new Cluster(nodes.map(({ port }) => ({ host: "127.0.0.1", port })));
    const nodeRedis = createCluster({ rootNodes: nodes.map(({ url }) => ({ url })) });
    await nodeRedis.connect();
    clients.set("ioredis Cluster", ioredis).set("node-redis createCluster", nodeRedis);
    ends.push(
      () => ioredis.disconnect(),
      () => nodeRedis.destroy(),
    );
  }, 60_000);
  afterAll(async () => {
    for (const end of ends) end();
    await Promise.all(nodes.map((node) => node.remove()));
  });

  /** The keys of a prefix, node by node. */
  function keysByNode(prefix: string): Promise<string[][]> {
    return Promise.all(
      nodes.map(async ({ url }) => {
        const client = ioredisClient(url);
        try {
          return await keysOf(client, prefix);
        } finally {
          client.disconnect();
        }
      }),
    );
  }

  it.each(["ioredis Cluster", "node-redis createCluster"])(
    "counts every org on the node of its slot: %s",
    async (name) => {
      const client = clients.get(name);
      if (client === undefined) throw new Error("a client");
      const prefix = `${name.replace(" ", "-")}:`;
      const counters = countersOver(client, prefix);
      const orgs = Array.from({ length: 12 }, (_, i) => (i % 2 ? `org}{${i}` : `org${i}`));
      const calls = orgs.map(async (orgId) => {
        const given = { id: "a", orgId, requestId: "q" };
        expect(await reserve(counters, 10, given)).toMatchObject({ outcome: "reserved" });
        expect(await reserve(counters, 10, { ...given, id: "b" })).toMatchObject({
          outcome: "replayed",
          id: "a",
        });
        expect(await settle(counters, "a", 4, orgId)).toMatchObject({ outcome: "settled", used: [4, 1] });
        expect(await used(counters, orgId)).toEqual([4, 1]);
      });
      await Promise.all(calls);

      const byNode = await keysByNode(prefix);
      expect(byNode.every((keys) => keys.length > 0)).toBe(true);
      const tagsByNode = byNode.map((keys) => new Set(keys.map((key) => /\{.*?\}/.exec(key)?.[0])));
      // Each org on one node, all of its keys together.
      expect(tagsByNode.reduce((sum, tags) => sum + tags.size, 0)).toBe(orgs.length);
    },
  );
});

import { EventEmitter } from "node:events";
import { describe, expect, it, vi } from "vitest";
import type { PostgresClient } from "../../../src/postgres/pool.js";
import { postgresStorage } from "../../../src/postgres.js";
import { change, project } from "../../../src/testing/conformance/storage-records.js";

const CHANGED = [{ kind: "project", id: "web", orgId: "acme" }];

/** A connection that listens and hears what a test says. */
class ListeningClient extends EventEmitter implements PostgresClient {
  async query(): Promise<void> {}
  release(): void {}
  hear(by: unknown): void {
    this.emit("notification", {
      channel: "tollgate",
      payload: JSON.stringify({ by, changed: CHANGED }),
    });
  }
}

/** The answer of a database that is cut off. */
async function cutOff(): Promise<never> {
  throw new Error("Query read timeout");
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A storage over a database that answers commits as a test says, and what its watcher is told. */
async function watched(answer: () => Promise<{ rows: unknown[] }>) {
  const client = new ListeningClient();
  const writers: unknown[] = [];
  const query = (text: string, values: unknown[] = []) => {
    if (text.includes(".commit(")) writers.push(values[0]);
    return answer();
  };
  const storage = postgresStorage({ pool: { query, connect: async () => client } });
  const told: string[] = [];
  storage.watch(
    (changed) => told.push(...changed.map(({ id }) => id)),
    () => told.push("missed"),
  );
  await turn();
  expect(told.splice(0)).toEqual(["missed"]); // it listens
  const commit = () => storage.commit([change("project", "web", 0, project("web"))]);
  return { client, writers, told, commit, storage };
}

describe("the changes that a process is told of", () => {
  it("are its own once, when its commit is answered", async () => {
    const rows = [{ commit: JSON.stringify({ changed: CHANGED }) }];
    const { client, writers, told, commit, storage } = await watched(async () => ({ rows }));
    await commit();
    client.hear(writers[0]);
    client.hear("another process");
    expect(told).toEqual(["web", "web"]);
    await storage.close();
  });

  it("are also those of a commit of its own that was told as failed, and was done later all the same", async () => {
    const { client, writers, told, commit, storage } = await watched(cutOff);
    await expect(commit()).rejects.toThrow("Query read timeout");
    expect(told.splice(0)).toEqual(["web"]);
    client.hear(writers[0]);
    expect(told).toEqual(["web"]);
    await storage.close();
  });

  it("are no others after a commit that failed: what is known of other orgs bridges the outage that cut it off", async () => {
    const { told, storage } = await watched(cutOff);
    const changes = [
      change("project", "web", 0, project("web")),
      change("project", "app", 0, project("app")),
    ];
    await expect(storage.commit(changes)).rejects.toThrow("Query read timeout");
    expect(told).toEqual(["web", "app"]);
    await storage.close();
  });

  it("may be any after a commit that failed and deletes a record, as nobody knows of which org it was", async () => {
    const { told, storage } = await watched(cutOff);
    const changes = [change("project", "web", 0, project("web")), change("project", "app", 1, undefined)];
    await expect(storage.commit(changes)).rejects.toThrow("Query read timeout");
    expect(told).toEqual(["missed"]);
    await storage.close();
  });
});

it("a storage listens on one connection, however many watch, and has given it back once it is closed", async () => {
  const client = new ListeningClient();
  const release = vi.spyOn(client, "release");
  const connect = vi.fn(async () => client);
  const storage = postgresStorage({ pool: { query: async () => ({ rows: [] }), connect } });
  for (let watcher = 0; watcher < 3; watcher++) storage.watch(() => {});
  await turn();
  expect(connect).toHaveBeenCalledOnce();
  expect(release).not.toHaveBeenCalled();
  await storage.close();
  expect(release).toHaveBeenCalledOnce();
});

it("a database that listens by itself says from when on, and stops with the last who watches", async () => {
  const unlisten = vi.fn(async () => {});
  const pool = { query: async () => ({ rows: [] }), listen: async () => unlisten };
  const missed = vi.fn();
  const stop = postgresStorage({ pool }).watch(() => {}, missed);
  await turn();
  expect([missed.mock.calls.length, unlisten.mock.calls.length]).toEqual([1, 0]);
  stop();
  await turn();
  expect(unlisten).toHaveBeenCalledOnce();
});

it("a connection that is being closed tells nothing to who begins to watch meanwhile", async () => {
  const clients = [new ListeningClient(), new ListeningClient()] as const;
  const connect = vi.fn<() => Promise<PostgresClient>>();
  for (const client of clients) connect.mockResolvedValueOnce(client);
  const storage = postgresStorage({ pool: { query: async () => ({ rows: [] }), connect } });
  const stop = storage.watch(() => {});
  await turn();
  stop();
  const told: string[] = [];
  storage.watch((changed) => told.push(...changed.map(({ id }) => id)));
  await turn();
  clients[0].hear("another process");
  expect(told).toEqual([]);
  clients[1].hear("another process");
  expect(told).toEqual(["web"]);
  await storage.close();
});

it("a connection for the changes of others that cannot be had is tried for soon and then seldom, and warned of once each time, also after one was lost", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const warning = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  try {
    let client: ListeningClient | undefined;
    let tries = 0;
    const listen = async () => {
      tries++;
      if (client === undefined) throw new Error("no connection");
      return client;
    };
    const storage = postgresStorage({ pool: { query: async () => ({ rows: [] }) }, listen });
    storage.watch(() => {});
    for (let outages = 1; outages <= 3; outages++) {
      tries = 0;
      await vi.advanceTimersByTimeAsync(60_000);
      expect(tries).toBeGreaterThan(15); // a few in the first seconds, then one in five seconds
      expect(tries).toBeLessThan(20);
      expect(warning).toHaveBeenCalledTimes(outages);
      client = new ListeningClient();
      const listened = vi.spyOn(client, "query");
      await vi.advanceTimersByTimeAsync(60_000);
      expect(listened).toHaveBeenCalledOnce();
      const lost = client;
      client = undefined;
      lost.emit("end");
    }
    await storage.close();
  } finally {
    warning.mockRestore();
    vi.useRealTimers();
  }
});

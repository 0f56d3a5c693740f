import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { fileURLToPath } from "node:url";
import type { Admission, Gate, Usage } from "tollgate";
import type { Queue } from "tollgate/queue";
import { afterAll, expect, it } from "vitest";
import { load, programOf } from "./programs.js";

const guide = readFileSync(new URL("../../docs/guides/queue.md", import.meta.url), "utf8");
const generated = fileURLToPath(new URL("./.generated-queue/", import.meta.url));

/** What the guide has made, and its function for a handler. */
interface Guide {
  readonly gate: Gate;
  readonly queue: Queue;
  readonly token: string;
  readonly usage: Usage;
  admitted(token: string, usage: Usage, response: ServerResponse): Promise<Admission>;
}

afterAll(() => rmSync(generated, { recursive: true, force: true }));

/** The answer to a client that has hung up. */
async function goneClient(): Promise<ServerResponse> {
  const server = createServer().listen(0);
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port); // sound: it listens on a port
  client.write("GET / HTTP/1.1\r\nHost: gateway\r\n\r\n");
  const [, response] = await once(server, "request");
  client.destroy();
  await once(response, "close");
  server.close();
  return response;
}

it("the handler of the queue guide keeps no place for a client that had gone before it waits", async () => {
  const [setUp = ""] = guide.split("## What is waited for");
  const [, inGateway = ""] = guide.split("## In a gateway");
  const program = `${programOf(setUp + inGateway)}\nexport { admitted, gate, queue, token, usage };\n`;
  const made = (await load(generated, "queue", program)) as unknown as Guide; // sound: it exports these
  const { gate, queue, token, usage } = made;
  await gate.admit(token, usage); // takes the one slot there is

  const response = await goneClient();
  await expect(made.admitted(token, usage, response)).rejects.toThrow("aborted");
  expect(queue.status().waiting).toBe(0);
  await queue.close();
  await gate.close();
});

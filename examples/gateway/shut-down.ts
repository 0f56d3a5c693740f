import { once } from "node:events";
import type { Server } from "node:http";
import type { Gateway } from "./gateway.js";

/**
 * Stops a gateway: takes no more connections, lets the calls under way end for at most `graceMs`, cuts off the rest,
 * settles every one of them, and closes the gate.
 */
export async function shutDown(
  server: Server,
  { calls, gate, queue }: Gateway,
  graceMs: number,
): Promise<void> {
  const closed = once(server, "close");
  server.close();
  // A call on a connection that was kept open is still served; the client uses another connection next time.
  server.prependListener("request", (_request, answer) => answer.setHeader("connection", "close"));
  await calls.finish(graceMs);
  // Settled calls are at their last bytes; a client that does not take them holds nobody up.
  const patience = setTimeout(() => server.closeAllConnections(), 1_000);
  server.closeIdleConnections();
  await closed;
  clearTimeout(patience);
  // Requests that were still on their way here.
  await calls.finish(0);
  await queue?.close();
  await gate.close();
}

import { once } from "node:events";
import { createServer } from "node:net";

/**
 * A port on which nobody listens. It and the port 10,000 above, which the bus of a cluster of Redis takes, lie below those that
 * systems give to outgoing connections: such a connection could take it before the server does, or while a test has stopped the
 * server.
 */
export async function freePort(): Promise<number> {
  const port = 12_000 + Math.floor(Math.random() * 10_000);
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return freePort();
  }
  server.close();
  await once(server, "close");
  return port;
}

import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Stands between a client and a server, and can lose what the server says (its commands run, their replies never arrive) or all of it. */
export class LossyProxy {
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  #loses = false;
  #isCut = false;

  private constructor(targetPort: number) {
    this.#server = createServer((client) => {
      if (this.#isCut) {
        client.destroy();
        return;
      }
      const target = connect(targetPort, "127.0.0.1");
      this.#connections.add(client).add(target);
      client.on("data", (data) => target.write(data));
      target.on("data", (data) => {
        // The reply is lost with the connection, as when a network breaks.
        if (this.#loses) this.breakConnections();
        else client.write(data);
      });
      for (const [one, other] of [
        [client, target],
        [target, client],
      ] as const) {
        one.on("error", () => other.destroy());
        one.on("close", () => {
          this.#connections.delete(one);
          other.destroy();
        });
      }
    });
  }

  static async start(targetPort: number): Promise<LossyProxy> {
    const proxy = new LossyProxy(targetPort);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("a port");
    return address.port;
  }

  /** The next reply breaks every connection, and those after it arrive again. */
  loseNextReply(): void {
    this.#loses = true;
  }

  /** From now on nobody gets through, as when a network is down. */
  cut(): void {
    this.#isCut = true;
    this.breakConnections();
  }

  restore(): void {
    this.#isCut = false;
  }

  breakConnections(): void {
    this.#loses = false;
    for (const socket of this.#connections) socket.destroy();
  }

  close(): void {
    this.breakConnections();
    this.#server.close();
  }
}

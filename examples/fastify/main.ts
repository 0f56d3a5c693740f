/** `npx tsx examples/fastify/main.ts`; `PORT` is 4000 by default. `upstreamFrom` says how to choose the providers. */
import { demo, howTo } from "../gateway/demo.js";
import { shutDown } from "../gateway/shut-down.js";
import { createApp } from "./app.js";

const port = Number(process.env.PORT ?? 4000);
const { gateway, token } = await demo(process.env);
const app = createApp(gateway);
await app.listen({ port });
console.log(howTo(port, token));

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, async () => {
    await shutDown(app.server, gateway, 10_000);
    process.exit();
  });
}

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { upstreamFrom } from "../../../examples/gateway/demo.js";

it("a provider's address without a key is refused, so that no fake one answers for it", async () => {
  await expect(upstreamFrom({ OPENAI_URL: "http://127.0.0.1:9" })).rejects.toThrow(
    "OPENAI_URL is set, but not OPENAI_API_KEY",
  );
  const keys = { OPENAI_API_KEY: "a", ANTHROPIC_API_KEY: "b", ANTHROPIC_URL: "http://127.0.0.1:9" };
  expect(await upstreamFrom(keys)).toEqual({
    openai: { url: "https://api.openai.com", apiKey: "a" },
    anthropic: { url: "http://127.0.0.1:9", apiKey: "b" },
  });
});

const root = fileURLToPath(new URL("../../../", import.meta.url));

it.each(["express", "fastify"])(
  "%s/main.ts ends with the error where its port is taken",
  async (framework) => {
    const taken = createServer().listen(0);
    await once(taken, "listening");
    onTestFinished(() => void taken.close());
    const env = { ...process.env, PORT: String(Object(taken.address()).port) };
    const tsx = createRequire(import.meta.url).resolve("tsx/cli");
    const main = spawn(process.execPath, [tsx, `examples/${framework}/main.ts`], { cwd: root, env });
    onTestFinished(() => void main.kill());
    let told = "";
    main.stderr.on("data", (text) => {
      told += text;
    });
    const [code] = await once(main, "exit");
    expect(code).toBe(1);
    expect(told).toContain("EADDRINUSE");
  },
);

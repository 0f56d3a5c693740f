import fastify, { type FastifyInstance } from "fastify";
import { Failure, type HttpAnswer, tokenFrom } from "tollgate/http";
import { ENDPOINTS, profileOf } from "../gateway/endpoint.js";
import { forward } from "../gateway/forward.js";
import type { Gateway } from "../gateway/gateway.js";
import { keyInfo, modelList } from "../gateway/key-info.js";
import { authenticated, errors, tollgate } from "./plugin.js";

/** A gateway on Fastify. */
export function createApp({ gate, calls, upstream, models }: Gateway): FastifyInstance {
  // Fastify's own errors too: an address that it cannot read.
  const frameworkErrors = errors(profileOf);
  // Fastify would let a request take for ever to arrive; 5 minutes are Node's own default.
  const app = fastify({ bodyLimit: 16 * 2 ** 20, requestTimeout: 300_000, frameworkErrors });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, bytes, done) => done(null, bytes));
  app.setErrorHandler(frameworkErrors);
  app.setNotFoundHandler(() => {
    throw new Failure(404, "not_found", "There is no such path.");
  });

  for (const endpoint of ENDPOINTS) {
    const hooks = { onRequest: authenticated(gate, endpoint), preHandler: tollgate(calls, endpoint) };
    app.post(endpoint.path, hooks, async (request, reply) => {
      if (request.call === undefined) throw new Error("the handler is behind the gate");
      reply.hijack();
      for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value ?? "");
      await forward(upstream, request.call, request.headers, reply.raw);
    });
  }

  app.get("/v1/models", async (request, reply) => {
    const { status, headers, body }: HttpAnswer = await modelList(
      gate,
      tokenFrom(request.headers) ?? "",
      models,
    );
    return reply.code(status).headers(headers).send(body);
  });
  app.get("/v1/key", async (request, reply) => {
    const { status, headers, body } = await keyInfo(gate, tokenFrom(request.headers) ?? "");
    return reply.code(status).headers(headers).send(body);
  });
  return app;
}

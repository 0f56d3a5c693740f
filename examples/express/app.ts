import express, { type Express } from "express";
import { Failure, tokenFrom } from "tollgate/http";
import { ENDPOINTS, profileOf } from "../gateway/endpoint.js";
import { forward } from "../gateway/forward.js";
import type { Gateway } from "../gateway/gateway.js";
import { keyInfo, modelList } from "../gateway/key-info.js";
import { authenticated, errors, tollgate } from "./middleware.js";

/** A gateway on Express. */
export function createApp({ gate, calls, upstream, models }: Gateway): Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.enable("strict routing");
  app.enable("case sensitive routing");

  const bytes = express.raw({ type: () => true, limit: "16mb", inflate: false });
  for (const endpoint of ENDPOINTS) {
    app.post(endpoint.path, authenticated(gate, endpoint), bytes, tollgate(calls, endpoint), (req, res) =>
      forward(upstream, res.locals.call, req.headers, res),
    );
  }

  app.get("/v1/models", async (req, res) => {
    const { status, headers, body } = await modelList(gate, tokenFrom(req.headers) ?? "", models);
    res.status(status).set(headers).json(body);
  });
  app.get("/v1/key", async (req, res) => {
    const { status, headers, body } = await keyInfo(gate, tokenFrom(req.headers) ?? "");
    res.status(status).set(headers).json(body);
  });

  app.use(() => {
    throw new Failure(404, "not_found", "There is no such path.");
  });
  app.use(errors(profileOf));
  return app;
}

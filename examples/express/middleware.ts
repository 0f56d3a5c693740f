import type { ErrorRequestHandler, RequestHandler, Response } from "express";
import type { Gate } from "tollgate";
import { type Profile, toErrorResponse, tokenFrom, toResponse } from "tollgate/http";
import type { Endpoint } from "../gateway/endpoint.js";
import { refusalOf } from "../gateway/key-info.js";
import { readRequest } from "../gateway/model-request.js";
import type { OpenCall, OpenCalls } from "../gateway/open-call.js";

/** What {@link tollgate} hands to the handler after it. */
export type CallLocals = { call: OpenCall };

/**
 * Passes a call on if the gate admits it, and otherwise answers it. The call is closed when its answer ends, in whatever
 * way; a handler may close it earlier. Needs the body as bytes: `express.raw({ type: () => true })`.
 */
export function tollgate(
  calls: OpenCalls,
  endpoint: Endpoint,
): RequestHandler<object, unknown, unknown, unknown, CallLocals> {
  return async (req, res, next) => {
    const request = readRequest(endpoint, req.body);
    const { admission, call } = await calls.admit(tokenFrom(req.headers) ?? "", request, res);
    const { status, headers, body } = toResponse(admission, endpoint);
    res.set(headers);
    if (call === undefined) {
      res.status(status).json(body);
      return;
    }
    res.locals.call = call;
    call.closeWith(res);
    // The client may have gone while the gate was asked.
    if (res.destroyed) await call.close();
    else next();
  };
}

/** Answers a client whose token does not work before its body is read, which may be large. */
export function authenticated(gate: Gate, { profile }: Endpoint): RequestHandler {
  return async (req, res, next) => {
    const refused = await refusalOf(gate, tokenFrom(req.headers) ?? "", profile);
    if (refused === undefined) next();
    else res.status(refused.status).set(refused.headers).json(refused.body);
  };
}

/** Answers errors in the style of the API that was called. Goes after all routes. */
export function errors(profileOf: (path: string) => Profile): ErrorRequestHandler {
  return (error, req, res: Response, next) => {
    if (res.headersSent) return next(error);
    const { status, headers, body } = toErrorResponse(error, { profile: profileOf(req.path) });
    // A mistake in here, of which the client is told nothing. One that has gone made none.
    if (status === 500 && !res.destroyed) console.error(error);
    res.status(status).set(headers).json(body);
  };
}

import type { FastifyError, FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from "fastify";
import type { Gate } from "tollgate";
import { type Profile, toErrorResponse, tokenFrom, toResponse } from "tollgate/http";
import type { Endpoint } from "../gateway/endpoint.js";
import { refusalOf } from "../gateway/key-info.js";
import { readRequest } from "../gateway/model-request.js";
import type { OpenCall, OpenCalls } from "../gateway/open-call.js";

declare module "fastify" {
  interface FastifyRequest {
    /** What {@link tollgate} hands to the handler after it. */
    call?: OpenCall;
  }
}

/**
 * Passes a call on if the gate admits it, and otherwise answers it. The call is closed when its answer ends, in whatever
 * way; a handler may close it earlier. Needs the body as bytes: a content type parser with `parseAs: "buffer"`.
 */
export function tollgate(calls: OpenCalls, endpoint: Endpoint): preHandlerAsyncHookHandler {
  return async (request, reply) => {
    const asked = readRequest(endpoint, request.body);
    const { admission, call } = await calls.admit(tokenFrom(request.headers) ?? "", asked, reply.raw);
    const { status, headers, body } = toResponse(admission, endpoint);
    reply.headers(headers);
    if (call === undefined) return reply.code(status).send(body);
    request.call = call;
    call.closeWith(reply.raw);
    // The client may have gone while the gate was asked.
    if (reply.raw.destroyed) await call.close();
  };
}

/** Answers a client whose token does not work before its body is read, which may be large. */
export function authenticated(gate: Gate, { profile }: Endpoint): preHandlerAsyncHookHandler {
  return async (request, reply) => {
    const refused = await refusalOf(gate, tokenFrom(request.headers) ?? "", profile);
    if (refused !== undefined) return reply.code(refused.status).headers(refused.headers).send(refused.body);
  };
}

/** Answers errors in the style of the API that was called. */
export function errors(profileOf: (path: string) => Profile) {
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const profile = profileOf(request.routeOptions.url ?? "");
    const { status, headers, body } = toErrorResponse(error, { profile });
    // A mistake in here, of which the client is told nothing. One that has gone made none.
    if (status === 500 && !reply.raw.destroyed) console.error(error);
    return reply.code(status).headers(headers).send(body);
  };
}

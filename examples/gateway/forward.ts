import { once } from "node:events";
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { Actual } from "tollgate";
import { Failure, toErrorResponse } from "tollgate/http";
import { bytesFor } from "./model-request.js";
import type { OpenCall } from "./open-call.js";
import { neverReached, send, type Upstream } from "./upstream.js";

/** The header fields of the provider's answer that concern the client. Rate limits, cookies and account are the gateway's. */
const PASSED_ON = ["content-type", "x-request-id", "request-id"];

/** The most bytes of a whole answer, which is kept until its end. Some large images as text are shorter. */
const WHOLE_MAX = 64 * 2 ** 20;

/** What an answer with an error or a redirect has used: the provider bills nothing for it. */
const NOTHING: Actual = { inputTokens: 0, outputTokens: 0, costUsd: 0 };

/**
 * Sends an admitted call to the provider, and the answer to the client as it comes. The call is closed before the client has
 * all of the answer, so the client's next call meets counts that include this one.
 */
export async function forward(
  upstream: Upstream,
  call: OpenCall,
  headers: IncomingHttpHeaders,
  res: ServerResponse,
): Promise<void> {
  try {
    const { model, response } = await answerOf(upstream, call, headers);
    for (const name of PASSED_ON) {
      const value = response.headers.get(name);
      if (value !== null) res.setHeader(name, value);
    }
    if (call.isLast) res.setHeader("connection", "close");
    res.statusCode = response.status;
    // An error is not metered, even if it comes as a stream: it has used nothing.
    const streams = response.ok && isEventStream(response);
    await (streams ? passStream(call, model, response, res) : passWhole(call, model, response, res));
  } catch (error) {
    await call.close();
    if (res.headersSent || res.destroyed) res.destroy();
    else fail(res, error, call);
  }
}

function isEventStream({ headers }: Response): boolean {
  return headers.get("content-type")?.toLowerCase().startsWith("text/event-stream") ?? false;
}

/** The first answer of the permitted models, in their order. An error that another model might not have is passed over. */
async function answerOf(upstream: Upstream, call: OpenCall, headers: IncomingHttpHeaders) {
  let failure: Failure | undefined;
  let lost: unknown;
  for (const model of call.admission.models) {
    const bytes = bytesFor(call.request, model);
    const before = call.seen;
    // From here on the provider may bill. Until it reports something, the estimate is all that is known.
    call.seen = () => ({ model });
    try {
      const response = await send(upstream, call.request.endpoint, bytes, headers, call.signal);
      if (response.ok) return { model, response };
      // An earlier try whose answer was lost may be billed all the same.
      call.seen = before ?? (() => NOTHING);
      const wrong = failureOf(response.status);
      if (wrong === undefined) return { model, response };
      failure = wrong;
      await response.body?.cancel();
    } catch (error) {
      if (call.signal.aborted) throw error;
      if (neverReached(error)) call.seen = before;
      lost = error;
    }
  }
  throw failure ?? new Failure(502, "upstream_unreachable", "The provider does not answer.", { cause: lost });
}

/**
 * What the client is told of an answer that is no success and concerns gateway and provider alone: its own text would
 * name the gateway's account. A redirect does, too.
 */
function failureOf(status: number): Failure | undefined {
  const cause = new Error(`the provider answered ${status}`);
  if (status === 429) return new Failure(503, "upstream_busy", "The provider is busy.", { cause });
  if (status < 400 || status >= 500 || [401, 402, 403].includes(status)) {
    return new Failure(502, "upstream_failed", "The provider failed.", { cause });
  }
  return undefined;
}

async function passWhole(
  call: OpenCall,
  model: string,
  response: Response,
  res: ServerResponse,
): Promise<void> {
  const bytes = await wholeOf(response);
  if (response.ok) {
    const usage = usageOf(call, bytes);
    call.seen = () => ({ model, ...usage });
  }
  await call.close();
  res.setHeader("content-length", bytes.byteLength);
  res.end(bytes);
}

async function wholeOf(response: Response): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of piecesOf(response)) {
    length += piece.byteLength;
    if (length > WHOLE_MAX) throw new Failure(502, "upstream_failed", "The provider's answer is too long.");
    pieces.push(piece);
  }
  return Buffer.concat(pieces, length);
}

async function* piecesOf(response: Response): AsyncGenerator<Uint8Array> {
  try {
    yield* response.body ?? [];
  } catch (cause) {
    throw new Failure(502, "upstream_failed", "The provider broke off its answer.", { cause });
  }
}

/** The usage that a whole answer reports; nothing if it cannot be read, and then the estimate counts. */
function usageOf({ request }: OpenCall, bytes: Buffer): Actual {
  try {
    return request.endpoint.usageOf(JSON.parse(bytes.toString()));
  } catch {
    return {};
  }
}

async function passStream(
  call: OpenCall,
  model: string,
  response: Response,
  res: ServerResponse,
): Promise<void> {
  const meter = call.request.endpoint.meter();
  const metered = () => ({ model, ...meter.actual() });
  for await (const chunk of piecesOf(response)) {
    meter.push(chunk);
    // Not before: a stream that breaks off without a word may be billed all the same.
    call.seen = metered;
    // A client that reads slowly slows the provider down, so nothing piles up here.
    if (!res.write(chunk)) await once(res, "drain", { signal: call.signal });
  }
  await call.close();
  res.end();
}

function fail(res: ServerResponse, error: unknown, { request }: OpenCall): void {
  const { status, headers, body } = toErrorResponse(error, request.endpoint);
  if (status >= 500) console.error(error); // the client is not told of the cause
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  res.statusCode = status;
  res.end(JSON.stringify(body));
}

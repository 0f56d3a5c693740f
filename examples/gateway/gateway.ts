import type { Gate } from "tollgate";
import type { Queue } from "tollgate/queue";
import { OpenCalls } from "./open-call.js";
import type { Upstream } from "./upstream.js";

/** What both examples share: everything but the framework. */
export interface Gateway {
  readonly gate: Gate;
  /** Where calls wait for room instead of being refused at once. */
  readonly queue?: Queue | undefined;
  readonly upstream: Upstream;
  /** The models and virtual models that the gateway offers. */
  readonly models: readonly string[];
  readonly calls: OpenCalls;
}

export function createGateway(parts: Omit<Gateway, "calls">): Gateway {
  return { ...parts, calls: new OpenCalls(parts.gate, parts.queue) };
}

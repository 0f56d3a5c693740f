import type { Gate } from "tollgate";
import type { Queue } from "tollgate/queue";
import { OpenCalls } from "./open-call.js";
import type { Upstream } from "./upstream.js";

/** What both examples have in common: all but the framework. */
export interface Gateway {
  readonly gate: Gate;
  /** Where calls wait for room, rather than be refused at once. */
  readonly queue?: Queue | undefined;
  readonly upstream: Upstream;
  /** The models and virtual models that are offered. */
  readonly models: readonly string[];
  readonly calls: OpenCalls;
}

export function createGateway(parts: Omit<Gateway, "calls">): Gateway {
  return { ...parts, calls: new OpenCalls(parts.gate, parts.queue) };
}

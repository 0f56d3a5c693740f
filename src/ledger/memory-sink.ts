import { QUARTER_MS, type ReadableSink, type SumField, type SumQuery, type Sums } from "./sink.js";
import { replaces, TOKEN_KINDS, type Tokens, type UsageEvent } from "./usage-event.js";

/** A sink in the memory of this process, without a bound. For tests and short-lived programs. */
export interface MemoryLedgerSink extends ReadableSink {
  /** The events it keeps, in the order of arrival. */
  events(): UsageEvent[];
}

/** Makes a sink that keeps usage events in the memory of this process, as long as that runs. */
export function memoryLedgerSink(): MemoryLedgerSink {
  const kept = new Map<string, UsageEvent>();
  return {
    async write(events) {
      for (const event of events) {
        const present = kept.get(event.id);
        if (present === undefined || replaces(event, present)) kept.set(event.id, { ...event });
      }
    },
    async sum(query) {
      return sumsOf(kept.values(), query);
    },
    async sumWithin(query, within) {
      const isWithin = ({ projectId, userId }: UsageEvent) =>
        within.some(
          (part) => (part.projectId ?? projectId) === projectId && (part.userId ?? userId) === userId,
        );
      return sumsOf([...kept.values()].filter(isWithin), query);
    },
    async open({ orgId, keyIds, from, limit }) {
      return [...kept.values()]
        .filter((event) => event.outcome === "open" && event.orgId === orgId && event.admittedAt >= from)
        .filter((event) => keyIds?.includes(event.keyId) ?? true)
        .sort((a, b) => b.admittedAt - a.admittedAt || (a.id < b.id ? -1 : 1))
        .slice(0, limit);
    },
    events: () => [...kept.values()],
  };
}

/** The sums of a query by definition: what SQL computes for the other sinks. */
function sumsOf(events: Iterable<UsageEvent>, query: SumQuery): Sums[] {
  const groups = new Map<string, UsageEvent[]>();
  for (const event of events) {
    if (!isAsked(event, query)) continue;
    const tags = query.by.includes("tag") ? tagsOf(event) : [""];
    for (const tag of tags) {
      const group = JSON.stringify(query.by.map((field) => groupOf(event, field, tag)));
      const members = groups.get(group);
      if (members === undefined) groups.set(group, [event]);
      else members.push(event);
    }
  }
  // An aggregate without groups has one row, even over nothing.
  if (query.by.length === 0 && groups.size === 0) groups.set("[]", []);
  return [...groups].map(([group, members]) => ({ group: JSON.parse(group), ...totalOf(members) }));
}

function isAsked(event: UsageEvent, query: SumQuery): boolean {
  const { orgId, projectId, userId, keyId, from, to, now, underWay = false } = query;
  const isUnderWay = event.outcome === "open" && event.expiresAt > now;
  return (
    event.orgId === orgId &&
    (projectId ?? event.projectId) === event.projectId &&
    (userId ?? event.userId) === event.userId &&
    (keyId ?? event.keyId) === event.keyId &&
    event.admittedAt >= from &&
    event.admittedAt < to &&
    isUnderWay === underWay
  );
}

function tagsOf({ tags }: UsageEvent): string[] {
  const named = Object.entries(tags).map(([name, value]) => `${name}=${value}`);
  return named.length > 0 ? named : [""];
}

function groupOf(event: UsageEvent, field: SumField, tag: string): string {
  if (field === "tag") return tag;
  if (field === "quarter") return String(Math.floor(event.admittedAt / QUARTER_MS) * QUARTER_MS);
  return String(event[field]);
}

function totalOf(events: readonly UsageEvent[]): Omit<Sums, "group"> {
  const count = (outcome: UsageEvent["outcome"]) => events.filter((one) => one.outcome === outcome).length;
  const sum = (tokens: (event: UsageEvent) => number) =>
    events.reduce((total, one) => total + tokens(one), 0);
  const cost = (byok: boolean) =>
    events.reduce((total, one) => (one.byok === byok ? total + BigInt(one.costNanoUsd) : total), 0n);
  return {
    calls: events.length - count("released"),
    released: count("released"),
    disconnected: count("disconnected"),
    expired: count("open"),
    ...tokensOf(sum),
    costNanoUsd: cost(false),
    byokNanoUsd: cost(true),
  };
}

function tokensOf(sum: (tokens: (event: UsageEvent) => number) => number): Tokens {
  const sums = TOKEN_KINDS.map((kind) => [kind, sum((event) => event[kind])]);
  return Object.fromEntries(sums) as Tokens; // sound: it has every kind
}

import type { Contender } from "../contender.js";
import { CALLS, calls, costsMicroUsd, ORDER_LENGTH, orderOf, placeOf } from "./traffic.js";

/**
 * What somebody would write by hand: nine plain numbers, checked, added to, and corrected afterwards.
 *
 * No windows, no periods, no reservations, no prices, no keys to look up; it shows how much room there is.
 */
export function contender(keys: number): Contender {
  const order = orderOf(keys);
  const places = Array.from({ length: keys }, (_, key) => placeOf(key));
  const costs = calls.map(costsMicroUsd);
  const orgs = new Map(places.map(({ orgId }) => [orgId, counters()]));
  const projects = new Map(places.map(({ projectId }) => [projectId, counters()]));
  const byKey = new Map(places.map(({ keyId }) => [keyId, counters()]));
  let at = 0;
  return {
    answer: "yes",
    batch(times) {
      let yes = 0;
      for (let i = 0; i < times; i++) {
        at = (at + 1) & (ORDER_LENGTH - 1);
        const place = places[order[at] as number];
        const call = calls[at & (CALLS - 1)];
        const cost = costs[at & (CALLS - 1)];
        if (place === undefined || call === undefined || cost === undefined) continue;
        const org = orgs.get(place.orgId);
        const project = projects.get(place.projectId);
        const key = byKey.get(place.keyId);
        if (org === undefined || project === undefined || key === undefined) continue;
        const tokens = call.inputTokens + call.maxOutputTokens;
        if (!fits(org, tokens, cost.estimated)) continue;
        if (!fits(project, tokens, cost.estimated)) continue;
        if (!fits(key, tokens, cost.estimated)) continue;
        add(org, 1, tokens, cost.estimated);
        add(project, 1, tokens, cost.estimated);
        add(key, 1, tokens, cost.estimated);
        const tokensBack = call.outputTokens - call.maxOutputTokens;
        const costBack = cost.actual - cost.estimated;
        add(org, 0, tokensBack, costBack);
        add(project, 0, tokensBack, costBack);
        add(key, 0, tokensBack, costBack);
        yes++;
      }
      return yes;
    },
  };
}

/** It has no windows, so what it counts only grows. */
const MAX = Number.MAX_SAFE_INTEGER;

interface PlainCounters {
  requests: number;
  tokens: number;
  cost: number;
}

function counters(): PlainCounters {
  return { requests: 0, tokens: 0, cost: 0 };
}

function fits({ requests, tokens, cost }: PlainCounters, moreTokens: number, moreCost: number): boolean {
  return requests + 1 <= MAX && tokens + moreTokens <= MAX && cost + moreCost <= MAX;
}

function add(to: PlainCounters, requests: number, tokens: number, cost: number): void {
  to.requests += requests;
  to.tokens += tokens;
  to.cost += cost;
}

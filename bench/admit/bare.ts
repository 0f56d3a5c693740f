import type { Contender } from "../contender.js";
import {
  CALLS,
  type Call,
  calls,
  MAX_REQUESTS,
  MAX_TOKENS,
  ORDER_LENGTH,
  orderOf,
  PRICES,
  placeOf,
} from "./traffic.js";

/**
 * How much room the contract leaves: a gate with tollgate's contract and nothing behind it, written for these nine limits alone.
 *
 * It looks up the chain and the price, asks for the time, counts nine limits in the current part of their window, all or nothing,
 * keeps the reservation, answers by a promise with most of the fields that tollgate answers with, and corrects the counts at the settle.
 * It checks no input, no key and no model, and knows no time before the current minute and month, no second gate, no event, no
 * extension, no TTL.
 */
export function contender(keys: number): Contender {
  const gate = new BareGate(keys);
  const ids = Array.from({ length: keys }, (_, key) => placeOf(key).keyId);
  const order = orderOf(keys);
  let at = 0;
  return {
    answer: "yes",
    async batch(times) {
      let yes = 0;
      for (let i = 0; i < times; i++) {
        at = (at + 1) & (ORDER_LENGTH - 1);
        // Sound: both are masked, and the order holds places in `ids`.
        const keyId = ids[order[at] as number] as string;
        const { model, inputTokens, maxOutputTokens, outputTokens } = calls[at & (CALLS - 1)] as Call;
        const admission = await gate.admit({ keyId }, { model, inputTokens, maxOutputTokens });
        if (admission === undefined) continue;
        const settlement = await gate.settle(admission.reservation, { inputTokens, outputTokens });
        if (settlement?.settled) yes++;
      }
      return yes;
    },
  };
}

/** What is known of a key, found by its id. */
class BareChain {
  constructor(
    readonly keyId: string,
    readonly orgId: string,
    readonly projectId: string,
    readonly userId: string,
    // Where the counts of each scope begin.
    readonly org: number,
    readonly project: number,
    readonly key: number,
  ) {}
}

class BareReservation {
  readonly id: string;
  readonly orgId: string;
  readonly projectId: string;
  readonly keyId: string;
  readonly userId: string;
  readonly requested: string;
  readonly model: string;
  readonly reservedAt: number;
  readonly expiresAt: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costNanoUsd: number;
  readonly number: number;
  readonly chain: BareChain;

  constructor(
    chain: BareChain,
    model: string,
    now: number,
    input: number,
    output: number,
    cost: number,
    number: number,
  ) {
    this.id = `rsv_${number}`;
    this.orgId = chain.orgId;
    this.projectId = chain.projectId;
    this.keyId = chain.keyId;
    this.userId = chain.userId;
    this.requested = model;
    this.model = model;
    this.reservedAt = now;
    this.expiresAt = now + 600_000;
    this.inputTokens = input;
    this.outputTokens = output;
    this.costNanoUsd = cost;
    this.number = number;
    this.chain = chain;
  }
}

/** The numbers of a count: the end and the beginning of the current part, all that is used, and what of it in the current part. */
enum Cell {
  until = 0,
  from = 1,
  used = 2,
  latest = 3,
}

/** Where the counts of a scope are: requests, tokens, cost. */
enum Count {
  requests = 0,
  tokens = 4,
  cost = 8,
}

const PER_COUNT = 4;
const PER_SCOPE = 3 * PER_COUNT;
const MAX_COST = MAX_TOKENS * 1000;
/** More than are ever open here. */
const PLACES = 1024;

class BareGate {
  readonly #chains = new Map<string, BareChain>();
  readonly #prices = new Map<string, { readonly input: number; readonly output: number }>();
  readonly #open = new Array<BareReservation | undefined>(PLACES).fill(undefined);
  readonly #counts: Float64Array;
  #made = 0;

  constructor(keys: number) {
    let end = 0;
    const scopes = new Map<string, number>();
    const scope = (id: string) => {
      const known = scopes.get(id) ?? end;
      if (known === end) end += PER_SCOPE;
      scopes.set(id, known);
      return known;
    };
    for (let key = 0; key < keys; key++) {
      const { keyId, projectId, orgId } = placeOf(key);
      const [org, project, own] = [scope(orgId), scope(projectId), scope(keyId)];
      this.#chains.set(keyId, new BareChain(keyId, orgId, projectId, `user_${key}`, org, project, own));
    }
    for (const [model, { inputUsdPerMillion, outputUsdPerMillion }] of Object.entries(PRICES)) {
      this.#prices.set(model, { input: inputUsdPerMillion * 1000, output: outputUsdPerMillion * 1000 });
    }
    this.#counts = new Float64Array(end);
    for (let at = 0; at < end; at += PER_COUNT) this.#counts[at + Cell.until] = Number.MAX_SAFE_INTEGER;
  }

  admit(
    key: { readonly keyId: string },
    { model, inputTokens, maxOutputTokens }: Omit<Call, "outputTokens">,
  ) {
    return Promise.resolve(this.#reserve(key.keyId, model, inputTokens, maxOutputTokens));
  }

  settle(
    reservation: BareReservation,
    actual: { readonly inputTokens: number; readonly outputTokens: number },
  ) {
    return Promise.resolve(this.#correct(reservation, actual.inputTokens, actual.outputTokens));
  }

  #reserve(keyId: string, model: string, input: number, output: number) {
    const now = Date.now();
    const chain = this.#chains.get(keyId);
    const price = this.#prices.get(model);
    if (chain === undefined || price === undefined) return undefined;
    const counts = this.#counts;
    const tokens = input + output;
    const cost = Math.ceil(input * price.input + output * price.output);
    const { org, project, key } = chain;
    const fits =
      hasRoom(counts, org, now, tokens, cost) &&
      hasRoom(counts, project, now, tokens, cost) &&
      hasRoom(counts, key, now, tokens, cost);
    if (!fits) return undefined;
    const used = [
      Number.NaN,
      Number.NaN,
      Number.NaN,
      Number.NaN,
      Number.NaN,
      Number.NaN,
      Number.NaN,
      Number.NaN,
      Number.NaN,
    ];
    charge(counts, org, tokens, cost, used, 0);
    charge(counts, project, tokens, cost, used, 3);
    charge(counts, key, tokens, cost, used, 6);
    const number = this.#made++;
    const reservation = new BareReservation(chain, model, now, input, output, cost, number);
    this.#open[number % PLACES] = reservation;
    const { orgId, projectId, userId } = chain;
    return { admitted: true, reservation, keyId, orgId, projectId, userId, used, now };
  }

  #correct(reservation: BareReservation, input: number, output: number) {
    const now = Date.now();
    const { number, chain, model, inputTokens, outputTokens, costNanoUsd } = reservation;
    const price = this.#prices.get(model);
    if (price === undefined || this.#open[number % PLACES] !== reservation) return undefined;
    this.#open[number % PLACES] = undefined;
    const cost = Math.ceil(input * price.input + output * price.output);
    const tokensDelta = input + output - inputTokens - outputTokens;
    const counts = this.#counts;
    correct(counts, chain.org, now, tokensDelta, cost - costNanoUsd);
    correct(counts, chain.project, now, tokensDelta, cost - costNanoUsd);
    correct(counts, chain.key, now, tokensDelta, cost - costNanoUsd);
    const charged = { inputTokens: input, outputTokens: output, costNanoUsd: cost };
    return { settled: true, charged, overdraft: [] };
  }
}

function hasRoom(counts: Float64Array, scope: number, now: number, tokens: number, cost: number): boolean {
  return (
    fits(counts, scope + Count.requests, now, 1, MAX_REQUESTS) &&
    fits(counts, scope + Count.tokens, now, tokens, MAX_TOKENS) &&
    fits(counts, scope + Count.cost, now, cost, MAX_COST)
  );
}

function fits(counts: Float64Array, at: number, now: number, amount: number, max: number): boolean {
  return (
    now >= numberAt(counts, at + Cell.from) &&
    now < numberAt(counts, at + Cell.until) &&
    numberAt(counts, at + Cell.used) + amount <= max
  );
}

function charge(
  counts: Float64Array,
  scope: number,
  tokens: number,
  cost: number,
  used: number[],
  limit: number,
): void {
  used[limit] = add(counts, scope + Count.requests, 1);
  used[limit + 1] = add(counts, scope + Count.tokens, tokens);
  used[limit + 2] = add(counts, scope + Count.cost, cost);
}

function correct(counts: Float64Array, scope: number, now: number, tokens: number, cost: number): void {
  if (now < numberAt(counts, scope + Count.tokens + Cell.until)) add(counts, scope + Count.tokens, tokens);
  if (now < numberAt(counts, scope + Count.cost + Cell.until)) add(counts, scope + Count.cost, cost);
}

function add(counts: Float64Array, at: number, amount: number): number {
  const used = numberAt(counts, at + Cell.used) + amount;
  counts[at + Cell.used] = used;
  counts[at + Cell.latest] = numberAt(counts, at + Cell.latest) + amount;
  return used;
}

function numberAt(numbers: Float64Array, index: number): number {
  return numbers[index] as number; // sound: whoever asks knows the length
}

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
 * The least that such an answer costs: a gate with tollgate's contract and nothing behind it.
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
interface BareChain {
  readonly keyId: string;
  readonly orgId: string;
  readonly projectId: string;
  readonly userId: string;
  /** Where the counts of org, project and key begin. */
  readonly scopes: readonly [number, number, number];
  readonly maxes: readonly number[];
}

interface BareReservation {
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
  readonly amounts: readonly number[];
  readonly chain: BareChain;
  readonly number: number;
}

// The numbers of a count: the end and the beginning of the current part, all that is used, and what of it in the current part.
const [UNTIL, FROM, USED, LATEST, PER_COUNT] = [0, 1, 2, 3, 4];
const METERS = 3;
const MAXES: readonly number[] = [MAX_REQUESTS, MAX_TOKENS, MAX_TOKENS * 1000];

class BareGate {
  readonly #chains = new Map<string, BareChain>();
  readonly #prices = new Map<string, { readonly input: number; readonly output: number }>();
  readonly #open = new Map<number, BareReservation>();
  readonly #counts: Float64Array;
  #made = 0;

  constructor(keys: number) {
    let end = 0;
    const scopes = new Map<string, number>();
    const scope = (id: string) => {
      const known = scopes.get(id) ?? end;
      if (known === end) end += METERS * PER_COUNT;
      scopes.set(id, known);
      return known;
    };
    for (let key = 0; key < keys; key++) {
      const { keyId, projectId, orgId } = placeOf(key);
      const places = [scope(orgId), scope(projectId), scope(keyId)] as const;
      const maxes = places.flatMap(() => MAXES);
      this.#chains.set(keyId, { keyId, orgId, projectId, userId: `user_${key}`, scopes: places, maxes });
    }
    for (const [model, { inputUsdPerMillion, outputUsdPerMillion }] of Object.entries(PRICES)) {
      this.#prices.set(model, { input: inputUsdPerMillion * 1000, output: outputUsdPerMillion * 1000 });
    }
    this.#counts = new Float64Array(end);
    for (let at = 0; at < end; at += PER_COUNT) this.#counts[at + UNTIL] = Number.MAX_SAFE_INTEGER;
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

  #reserve(keyId: string, model: string, inputTokens: number, outputTokens: number) {
    const now = Date.now();
    const chain = this.#chains.get(keyId);
    const amounts = this.#amounts(model, inputTokens, outputTokens);
    if (chain === undefined || amounts === undefined) return undefined;
    const counts = this.#counts;
    const used = [0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (let i = 0; i < used.length; i++) {
      const at = place(chain, i);
      if (!(now >= numberAt(counts, at + FROM) && now < numberAt(counts, at + UNTIL))) return undefined;
      used[i] = numberAt(counts, at + USED) + numberAt(amounts, i % METERS);
      if (numberAt(used, i) > numberAt(chain.maxes, i)) return undefined;
    }
    for (let i = 0; i < used.length; i++) add(counts, place(chain, i), numberAt(amounts, i % METERS));
    const { orgId, projectId, userId } = chain;
    const number = this.#made++;
    const reservation: BareReservation = {
      id: `rsv_${number}`,
      orgId,
      projectId,
      keyId: chain.keyId,
      userId,
      requested: model,
      model,
      reservedAt: now,
      expiresAt: now + 600_000,
      inputTokens,
      outputTokens,
      costNanoUsd: numberAt(amounts, 2),
      amounts,
      chain,
      number,
    };
    this.#open.set(number, reservation);
    return { admitted: true, reservation, keyId: chain.keyId, orgId, projectId, userId, used, now };
  }

  #correct({ number, chain, model, amounts: reserved }: BareReservation, input: number, output: number) {
    const now = Date.now();
    const amounts = this.#amounts(model, input, output);
    if (amounts === undefined || !this.#open.delete(number)) return undefined;
    const counts = this.#counts;
    for (let i = 0; i < chain.maxes.length; i++) {
      const delta = numberAt(amounts, i % METERS) - numberAt(reserved, i % METERS);
      const at = place(chain, i);
      if (delta !== 0 && now < numberAt(counts, at + UNTIL)) add(counts, at, delta);
    }
    const charged = { inputTokens: input, outputTokens: output, costNanoUsd: numberAt(amounts, 2) };
    return { settled: true, charged, overdraft: [] };
  }

  #amounts(model: string, inputTokens: number, outputTokens: number): readonly number[] | undefined {
    const price = this.#prices.get(model);
    if (price === undefined) return undefined;
    return [1, inputTokens + outputTokens, inputTokens * price.input + outputTokens * price.output];
  }
}

function place({ scopes }: BareChain, limit: number): number {
  const scope = Math.floor(limit / METERS);
  return numberAt(scopes, scope) + (limit % METERS) * PER_COUNT;
}

function add(counts: Float64Array, at: number, amount: number): void {
  counts[at + USED] = numberAt(counts, at + USED) + amount;
  counts[at + LATEST] = numberAt(counts, at + LATEST) + amount;
}

function numberAt(numbers: ArrayLike<number>, index: number): number {
  return numbers[index] as number; // sound: whoever asks knows the length
}

import type { Arbitrary } from "fast-check";
import type { KeyChain } from "../../model/chain.js";
import { aKeyChain } from "../key-chain.js";
import type { FastCheck } from "./fast-check.js";
import { HOSTILE_IDS } from "./ids.js";
import { anyLimits, type LimitsOptions } from "./limits.js";

/** Options of {@link anyHierarchy}: those of {@link anyLimits}, and how many keys. */
export interface HierarchyOptions extends LimitsOptions {
  /** The most keys, at least 1. Default: 4. */
  readonly maxKeys?: number | undefined;
}

/** Arbitrary chains of one active key, with limits at any of the four scopes; see {@link anyHierarchy}. */
export function anyKeyChain(fc: FastCheck, options: LimitsOptions = {}): Arbitrary<KeyChain> {
  return anyHierarchy(fc, { ...options, maxKeys: 1 }).chain((chains) => fc.constantFrom(...chains));
}

/**
 * Arbitrary sets of one to `maxKeys` active keys of one org, in up to two projects, with up to two holders.
 *
 * The chains share what they have in common, and have limits at any of the four scopes. Some ids are hostile (see
 * {@link HOSTILE_IDS}). Pass them to `directoryOf(...chains)` to make a gate.
 */
export function anyHierarchy(fc: FastCheck, options: HierarchyOptions = {}): Arbitrary<readonly KeyChain[]> {
  const { maxKeys = 4, ...limitsOptions } = options;
  const limits = fc.option(anyLimits(fc, limitsOptions), { nil: undefined });
  const two = fc.tuple(limits, limits);
  const place = fc.record({ project: fc.nat(1), holder: fc.nat(1), limits });
  return fc
    .record({
      ids: anyIds(fc, 5 + maxKeys),
      org: limits,
      projects: two,
      // For each project, its two members.
      members: fc.tuple(two, two),
      // Without a size, fast-check makes no more than about ten of anything, whatever the most is.
      keys: fc.array(place, { minLength: 1, maxLength: maxKeys, size: "max" }),
    })
    .map(({ ids, org, projects, members, keys }) =>
      keys.map((key, index) => {
        const [orgId = "", ...rest] = ids;
        return aKeyChain({
          org: { id: orgId, limits: org },
          project: { id: rest[key.project] ?? "", limits: projects[key.project] },
          holder: { userId: rest[2 + key.holder] ?? "", limits: members[key.project]?.[key.holder] },
          key: { id: rest[4 + index] ?? "", limits: key.limits },
        });
      }),
    );
}

/** This many different ids, each plain or hostile. */
function anyIds(fc: FastCheck, many: number): Arbitrary<string[]> {
  const plain = fc.nat(999).map((number) => `id-${number}`);
  const id = fc.oneof(
    { weight: 3, arbitrary: plain },
    { weight: 1, arbitrary: fc.constantFrom(...HOSTILE_IDS) },
  );
  return fc.uniqueArray(id, { minLength: many, maxLength: many });
}

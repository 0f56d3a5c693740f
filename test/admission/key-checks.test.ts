import { describe, expect, it } from "vitest";
import { keyRefusal } from "../../src/admission/key-checks.js";
import type { ChainParts } from "../../src/testing/key-chain.js";
import { aChain, NOON } from "../gate/world.js";

describe("the reason why no call of a key passes", () => {
  it("is none where all is in order", () => {
    expect(keyRefusal(aChain(), NOON)).toBeUndefined();
    const active = aChain({
      org: { status: "active" },
      project: { status: "active" },
      key: { status: "active" },
    });
    expect(keyRefusal(active, NOON)).toBeUndefined();
  });

  it("is the first of these in their order, from the millisecond of an expiry on", () => {
    const faults: readonly (readonly [ReturnType<typeof keyRefusal>, ChainParts])[] = [
      ["key_revoked", { key: { status: "revoked", expiresAt: NOON } }],
      ["key_disabled", { key: { status: "disabled", expiresAt: NOON } }],
      ["key_expired", { key: { expiresAt: NOON } }],
      ["org_inactive", { org: { status: "suspended" } }],
      ["project_inactive", { project: { status: "archived" } }],
      ["holder_removed", { holder: { active: false } }],
      ["holder_removed", { holder: { expiresAt: NOON } }],
    ];
    const worst: ChainParts = {};
    for (const [reason, parts] of [...faults].reverse()) {
      expect(keyRefusal(aChain(parts), NOON)).toBe(reason);
      expect(keyRefusal(aChain(Object.assign(worst, parts)), NOON)).toBe(reason);
    }
    expect(keyRefusal(aChain({ key: { expiresAt: NOON } }), NOON - 1)).toBeUndefined();
    expect(keyRefusal(aChain({ holder: { expiresAt: NOON } }), NOON - 1)).toBeUndefined();
  });
});

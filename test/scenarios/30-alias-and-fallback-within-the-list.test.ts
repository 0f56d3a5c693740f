import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aChain, world } from "../gate/world.js";
import { passed, refusedBy } from "./answers.js";

const KEY = { keyId: "k1" };
const CALL = { inputTokens: 10, maxOutputTokens: 10 };

const virtualModels = {
  smart: ["gpt-4o", "claude", "gpt-4o-mini"],
};

interface Lists {
  readonly project?: string[] | null;
  readonly key?: string[] | null;
}

function gateWith({ project, key }: Lists) {
  return world(
    aChain({
      org: { virtualModels },
      ...(project !== undefined && { project: { models: project } }),
      ...(key !== undefined && { key: { models: key } }),
    }),
  ).gate;
}

const targets = async (lists: Lists, model: string) => {
  const admission = await gateWith(lists).admit(KEY, { ...CALL, model });
  return admission.admitted ? admission.models : admission.reason;
};

describe("a model alias", () => {
  it("does not lead around the key's list (litellm PR 40957)", async () => {
    expect(await targets({ key: ["gpt-4o-mini"] }, "smart")).toEqual(["gpt-4o-mini"]);
    expect(await targets({ key: ["gemini"] }, "smart")).toBe("model_not_allowed");
    expect(await targets({ key: [] }, "smart")).toBe("model_not_allowed");
  });

  it("does not lead around the project's list either, though the key's names it", async () => {
    expect(await targets({ project: ["claude"], key: ["smart"] }, "smart")).toEqual(["claude"]);
    expect(await targets({ project: [], key: ["smart"] }, "smart")).toBe("model_not_allowed");
    expect(await targets({ project: ["smart"], key: ["claude"] }, "smart")).toEqual(["claude"]);
    expect(await targets({ project: ["claude"], key: ["gpt-4o"] }, "smart")).toBe("model_not_allowed");
  });

  it("that a list names gives its targets under that name alone, not when they are called directly", async () => {
    expect(await targets({ key: ["smart"] }, "smart")).toEqual(virtualModels.smart);
    expect(await targets({ key: ["smart"] }, "gpt-4o")).toBe("model_not_allowed");
  });

  it("is resolved once: a target that is the name of another alias is that model and no alias", async () => {
    const { gate } = world(
      aChain({ org: { virtualModels: { fast: ["smart"], ...virtualModels } }, key: { models: ["fast"] } }),
    );
    expect(passed(await gate.admit(KEY, { ...CALL, model: "fast" })).models).toEqual(["smart"]);
  });

  it.each(["constructor", "toString", "__proto__", "hasOwnProperty"])(
    "called %s is none, where nobody made it one",
    async (model) => {
      expect(await targets({ key: ["gpt-4o"] }, model)).toBe("model_not_allowed");
      expect(await targets({}, model)).toEqual([model]);
    },
  );
});

describe("a server-side fallback (litellm PR 39998)", () => {
  it("has only permitted targets to choose from, in the order of the alias", async () => {
    expect(await targets({ key: ["gpt-4o-mini", "gpt-4o"] }, "smart")).toEqual(["gpt-4o", "gpt-4o-mini"]);
  });

  it("has none but the model itself where the call names a model and no alias", async () => {
    expect(await targets({ key: ["*"] }, "gpt-4o")).toEqual(["gpt-4o"]);
  });

  it("for any lists and any alias never holds a target that neither list admits by its name or the alias's", async () => {
    const name = fc.constantFrom("a", "b", "c", "d/x", "d/y", "alias");
    const pattern = fc.oneof(name, fc.constantFrom("*", "d/*", "alias/*"));
    const list = fc.option(fc.array(pattern, { maxLength: 3 }));
    const admits = (patterns: string[] | null, model: string) =>
      patterns === null ||
      patterns.some((one) => one === "*" || one === model || (one === "d/*" && model.startsWith("d/")));
    await fc.assert(
      fc.asyncProperty(
        list,
        list,
        fc.uniqueArray(name, { minLength: 1, maxLength: 4 }),
        name,
        async (project, key, aliased, model) => {
          const { gate } = world(
            aChain({
              org: { virtualModels: { alias: aliased } },
              project: { models: project },
              key: { models: key },
            }),
          );
          const wanted = (model === "alias" ? aliased : [model]).filter((target) =>
            [project, key].every((patterns) => admits(patterns, model) || admits(patterns, target)),
          );
          const admission = await gate.admit(KEY, { ...CALL, model });
          if (wanted.length === 0) expect(refusedBy(admission).reason).toBe("model_not_allowed");
          else expect(passed(admission).models).toEqual(wanted);
        },
      ),
      { numRuns: 400 },
    );
  });
});

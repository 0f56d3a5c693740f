import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGate, type Gate } from "../../../src/gate/gate.js";
import { ConflictError } from "../../../src/model/errors.js";
import { type SharedRecords, sharedRecords } from "../../scenarios/shared-stores.js";
import { createWeb, ORG, WEB } from "./web.js";

describe.each(await sharedRecords())("external keys in %s", (_, make) => {
  let records: SharedRecords;
  const external = { ...ORG, secretRef: "vault/1" };
  const gates: Gate[] = [];
  const newGate = () => {
    const gate = createGate({ storage: records.connect() });
    gates.push(gate);
    return gate;
  };
  const plane = () => newGate().as({ userId: "olga" });

  beforeAll(async () => {
    records = await make();
    await createWeb(newGate(), {});
  }, 60_000);
  afterAll(async () => {
    for (const gate of gates) await gate.close();
    await records.remove();
  });

  it("are one per provider for the whole org, as they are for a project", async () => {
    const { externalKeys } = plane();
    const { id } = await externalKeys.create({ ...external, provider: "openai" });
    const again = externalKeys.create({ ...external, provider: "openai" });
    await expect(again).rejects.toThrow(ConflictError);
    await expect(again).rejects.toThrow(/^the org has an external key for the provider already$/);
    await externalKeys.create({ ...external, ...WEB, provider: "openai" });
    await externalKeys.create({ ...external, provider: "anthropic" });
    await externalKeys.delete({ externalKeyId: id });
    await externalKeys.create({ ...external, provider: "openai" });
  });

  it("are one, whichever process makes it first", async () => {
    for (const at of [ORG, WEB]) {
      const provider = `for ${JSON.stringify(at)}`;
      const planes = [plane(), plane(), plane()];
      const made = await Promise.allSettled(
        planes.map(({ externalKeys }) => externalKeys.create({ ...external, ...at, provider })),
      );
      expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      for (const one of made) if (one.status === "rejected") expect(one.reason).toBeInstanceOf(ConflictError);
      expect((await plane().externalKeys.list({ ...ORG, provider })).items).toHaveLength(1);
    }
  });
});

import { controlSchemas, createGate, toJsonSchema } from "tollgate";
import { describe, expect, test } from "vitest";

describe("the schemas of every input", () => {
  test("are there for every method of the control plane, and for no other", () => {
    const plane = createGate().as({ userId: "olga" });
    const methods = Object.fromEntries(
      Object.entries(plane).map(([noun, verbs]) => [noun, Object.keys(verbs).sort()]),
    );
    const schemas = Object.fromEntries(
      Object.entries(controlSchemas).map(([noun, verbs]) => [noun, Object.keys(verbs).sort()]),
    );
    expect(schemas).toEqual(methods);
  });

  test("become JSON Schema that says the shape of every field", () => {
    for (const verbs of Object.values(controlSchemas)) {
      for (const schema of Object.values(verbs)) {
        const published = toJsonSchema(schema);
        expect(published).toMatchObject({ type: "object", additionalProperties: false });
        expect(JSON.stringify(published)).not.toContain(":{}");
      }
    }
    expect(toJsonSchema(controlSchemas.credits.grant)).toMatchObject({
      required: ["orgId", "usd"],
      properties: { usd: { anyOf: [{ type: "number" }, { type: "string" }] } },
    });
  });

  test("leave what they refuse to a ValidationError that names the field and never the value", async () => {
    const { keys } = createGate().as({ userId: "olga" });
    const secret = "sk-tg-do-not-print";
    const wrong = [
      { orgId: 5 },
      { orgId: "a", projectId: "", token: secret },
      { orgId: "a", projectId: "b", models: [[secret]] },
    ];
    for (const input of wrong) {
      const create = keys.create as (input: object) => Promise<unknown>; // what a caller without types does
      const error = await create(input).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "validation" });
      expect(JSON.stringify(error) + String(error)).not.toContain(secret);
    }
    await expect((keys.create as () => Promise<unknown>)()).rejects.toMatchObject({ code: "validation" });
  });
});

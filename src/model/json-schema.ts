import * as z from "zod";
import { MAX_USD, usdSchema } from "./money.js";
import { timeZoneSchema } from "./time-zone.js";

/** What JSON Schema can say of the schemas that are functions. */
const FORMS: ReadonlyMap<z.core.$ZodType, object> = new Map<z.core.$ZodType, object>([
  [
    usdSchema,
    {
      anyOf: [
        { type: "number", minimum: 0, maximum: MAX_USD },
        { type: "string", maxLength: 100 },
      ],
    },
  ],
  [timeZoneSchema, { type: "string", description: "an IANA time zone, such as Europe/Berlin" }],
]);

/** A JSON Schema. It has a name of ours, so that a module which exports one compiles with declarations. */
export interface JsonSchema extends z.core.JSONSchema.BaseSchema {}

/**
 * An input schema as JSON Schema, to publish.
 *
 * It says the shape; what JSON Schema cannot say, such as which time zones there are, the zod schema checks.
 */
export function toJsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      Object.assign(jsonSchema, FORMS.get(zodSchema));
      // A record that refuses `__proto__` takes anything in at first; its shape is what it comes to.
      if (zodSchema instanceof z.ZodPipe && zodSchema.in instanceof z.ZodUnknown) {
        const { $schema, ...shape } = toJsonSchema(zodSchema.out as z.ZodType); // sound: only zod schemas are piped
        Object.assign(jsonSchema, shape);
      }
    },
  });
}

import * as z from "zod";
import { parse } from "../model/validation.js";

const EXPECTED = "a schema's name: lower-case letters, digits and _, at most 63";

export const schemaSchema = z
  .string({ error: EXPECTED })
  .regex(/^[a-z_][a-z0-9_]{0,62}$/, { error: EXPECTED });

/**
 * The name of a schema. It can be used in SQL between double or single quotes as it is.
 *
 * @throws ValidationError if it is not one
 */
export function schemaName(schema = "tollgate"): string {
  return parse(schemaSchema, schema, "schema");
}

import * as z from "zod";
import { usdSchema } from "../money.js";
import { idSchema, text } from "../text.js";
import { schemaOf } from "../validation.js";
import { type AtVersion, type OfOrg, orgField, type PageInput, pageFields, versionField } from "./fields.js";
import type { OrgById } from "./orgs.js";

/** Credit to grant. */
export interface NewCreditGrant {
  orgId: string;
  /** 1 to 200 characters, unique across all orgs. Made by the gate by default. */
  id?: string | undefined;
  /**
   * US dollars, or a decimal string where a number would not be exact. All grants of an org that are not revoked are at
   * most 9,000,000 together.
   */
  usd: number | string;
  /** What it is for, such as the number of an invoice: 1 to 1,000 characters. */
  note?: string | undefined;
}

/** Which grants to list. */
export interface CreditQuery extends PageInput {
  orgId: string;
}

/** Names a grant to write to. */
export interface CreditGrantAtVersion extends OfOrg, AtVersion {
  creditGrantId: string;
}

export const creditSchemas = {
  grant: schemaOf<NewCreditGrant>()(
    z.strictObject({
      orgId: idSchema,
      id: idSchema.optional(),
      usd: usdSchema,
      note: text(1, 1000).optional(),
    }),
  ),
  list: schemaOf<CreditQuery>()(z.strictObject({ orgId: idSchema, ...pageFields })),
  revoke: schemaOf<CreditGrantAtVersion>()(
    z.strictObject({ creditGrantId: idSchema, ...orgField, ...versionField }),
  ),
  balance: schemaOf<OrgById>()(z.strictObject({ orgId: idSchema })),
} as const;

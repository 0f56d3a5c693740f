import * as z from "zod";
import { type FieldProblem, ValidationError } from "../model/errors.js";
import { idSchema } from "../model/text.js";
import { parse, recordOf } from "../model/validation.js";
import type { Cap } from "./cap.js";
import { type Grants, grantOf } from "./grant.js";
import type { Permissions } from "./permission.js";
import { type Ask, askKinds, type PolicyData, type Row } from "./spec.js";

/** Roles and what each grants, for a policy of any names. */
export type Roles = Readonly<Record<string, Grants>>;

/** Bounds on both sides of a table, so that no policy from JSON can exhaust memory. */
const NAMES_MAX = 256;
const ROWS_MAX = 256;

/** A proof visits every combination of conditions: 2 ** 6 = 64. */
const CONDITIONS_MAX = 6;

/** The most scopes that one cap can name. */
const SCOPES_MAX = 10_000;

const NAME = "a name of 1 to 64 letters, digits, '_', '.' or '-', beginning with a letter or digit";
const LABEL = "one line of 1 to 120 characters without '|' or '\\'";

const name = z.string({ error: NAME }).regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/);
const named = <V extends z.ZodType>(value: V) =>
  recordOf(name, value).refine((record) => Object.keys(record).length <= NAMES_MAX, {
    error: `at most ${NAMES_MAX} names`,
  });

/** The same without the fields that are `undefined`: they are left out, and a policy is data that JSON can hold. */
function given<T extends object>(data: T) {
  const fields = Object.entries(data).filter(([, value]) => value !== undefined);
  // Sound: what may be undefined may be absent, too.
  return Object.fromEntries(fields) as { [Field in keyof T]: Exclude<T[Field], undefined> };
}

const label = z.string({ error: LABEL }).regex(/^[^|\\\p{Cc}]{1,120}$/u);

const when = z.object({ when: name });
const GRANT = '"none", "own" or "all", or { reach, when, otherwise? }';
const grant = z.union(
  [
    z.enum(["none", "own", "all"]),
    z
      .strictObject({ reach: z.literal("own"), ...when.shape, otherwise: z.undefined().optional() })
      .transform(given),
    z
      .strictObject({ reach: z.literal("all"), ...when.shape, otherwise: z.literal("own").optional() })
      .transform(given),
  ],
  { error: GRANT },
);
const grants = named(grant.optional()).transform(given);

const scopes = <T extends z.ZodType>(scope: T) =>
  z
    .array(scope)
    .min(1, { error: "at least one: a cap has to apply somewhere" })
    .max(SCOPES_MAX, { error: `at most ${SCOPES_MAX}` });

const capped = {
  permissions: z.array(name).min(1, { error: "at least one permission" }).max(NAMES_MAX),
  unless: name.optional(),
};

const cap = z.discriminatedUnion(
  "at",
  [
    z.strictObject({ at: z.literal("org"), orgIds: scopes(idSchema).optional(), ...capped }),
    z.strictObject({
      at: z.literal("project"),
      projects: scopes(z.strictObject({ orgId: idSchema, projectId: idSchema })),
      ...capped,
    }),
  ],
  { error: ({ code }) => (code === "invalid_union" ? '"org" or "project"' : undefined) },
);

const asks = Object.keys(askKinds) as [Ask, ...Ask[]]; // Sound: a literal's keys are the keys of its type.

/** The schemas of the parts of a spec. Whether the parts agree with each other is checked afterwards. */
export const partSchemas = {
  permissions: named(z.enum(["org", "project", "owned"])),
  roles: named(grants),
  raisedRoles: named(grants.optional()).transform(given),
  conditions: recordOf(name, label).refine((record) => Object.keys(record).length <= CONDITIONS_MAX, {
    error: `at most ${CONDITIONS_MAX} conditions`,
  }),
  caps: named(cap.transform(given)),
  rows: z
    .array(
      z.strictObject({
        label,
        ask: z.enum(asks),
        permissions: z.array(name).min(1, { error: "at least one permission" }).max(NAMES_MAX),
      }),
    )
    .max(ROWS_MAX, { error: `at most ${ROWS_MAX} rows` }),
};

const specSchema = z.strictObject({
  permissions: partSchemas.permissions,
  orgRoles: partSchemas.roles,
  projectRoles: partSchemas.roles.default({}),
  conditions: partSchemas.conditions.default({}),
  caps: partSchemas.caps.default({}),
  baseOrgRole: name,
  rows: partSchemas.rows.default([]),
});

/**
 * Checks a spec from anywhere and fills in what is left out.
 *
 * @throws ValidationError naming each wrong field, such as `projectRoles.viewer.project.create`
 */
export function parseSpec(input: unknown): PolicyData {
  const spec = parse<PolicyData>(specSchema, input);
  const { permissions, orgRoles, projectRoles, conditions, caps, baseOrgRole, rows } = spec;
  const base = Object.hasOwn(orgRoles, baseOrgRole)
    ? []
    : [{ field: "baseOrgRole", expected: "one of orgRoles" }];
  refuse([
    ...base,
    ...grantProblems(permissions, conditions, orgRoles, "orgRoles"),
    ...grantProblems(permissions, conditions, projectRoles, "projectRoles"),
    ...capProblems(permissions, conditions, caps),
    ...rowProblems(permissions, rows),
  ]);
  return deepFreeze(spec);
}

/** @throws ValidationError if there are any problems */
export function refuse(problems: readonly FieldProblem[]): void {
  if (problems.length > 0) throw new ValidationError(problems);
}

/**
 * What is wrong with grants: unknown permissions, reaches that a permission cannot have, org permissions in a project.
 */
export function grantProblems(
  permissions: Permissions,
  conditions: object,
  roles: Roles,
  root: "orgRoles" | "projectRoles" | "raise.orgRoles" | "raise.projectRoles",
): FieldProblem[] {
  return Object.entries(roles).flatMap(([role, grants]) =>
    Object.keys(grants).flatMap((permission) => {
      const kind = kindOf(permissions, permission);
      const field = `${root}.${role}.${permission}`;
      if (kind === undefined) return [{ field, expected: "one of the permissions" }];
      if (kind === "org" && root.endsWith("projectRoles")) {
        return [{ field, expected: "a permission of kind project or owned" }];
      }
      const { reach, when, within } = grantOf(grants, permission);
      if (kind !== "owned" && (reach === "own" || within === "own")) {
        return [{ field, expected: "none or all" }];
      }
      return conditionProblems(conditions, when, `${field}.when`);
    }),
  );
}

function capProblems(
  permissions: Permissions,
  conditions: object,
  caps: Readonly<Record<string, Cap>>,
): FieldProblem[] {
  return Object.entries(caps).flatMap(([id, cap]) => [
    ...cap.permissions.flatMap((permission, place) => {
      const field = `caps.${id}.permissions[${place}]`;
      const kind = kindOf(permissions, permission);
      if (kind === undefined) return [{ field, expected: "one of the permissions" }];
      if (kind === "org" && cap.at === "project") {
        return [{ field, expected: "a permission of kind project or owned" }];
      }
      if (cap.permissions.indexOf(permission) < place) return [{ field, expected: "each permission once" }];
      return [];
    }),
    ...conditionProblems(conditions, cap.unless, `caps.${id}.unless`),
  ]);
}

function conditionProblems(conditions: object, name: string | undefined, field: string): FieldProblem[] {
  return name === undefined || Object.hasOwn(conditions, name)
    ? []
    : [{ field, expected: "one of the conditions" }];
}

/**
 * What is wrong with rows.
 *
 * @param present rows that exist already. A row with the label of one of them, and that asks as it does, adds to it.
 */
export function rowProblems(
  permissions: Permissions,
  rows: readonly Row[],
  present: readonly Row[] = [],
): FieldProblem[] {
  return rows.flatMap((row, index) => {
    const alike = ({ label }: Row) => label === row.label;
    const joined = present.filter((other) => alike(other) && other.ask === row.ask);
    const before = rows.slice(0, index).filter(alike);
    const repeated = joined.length === 0 && before.length > 0;
    const label = repeated ? [{ field: `rows[${index}].label`, expected: "a label of its own" }] : [];
    const governed = repeated ? [] : [...joined, ...before].flatMap((other) => other.permissions);
    const misfits = row.permissions.flatMap((permission, place) => {
      const field = `rows[${index}].permissions[${place}]`;
      const kind = askKinds[row.ask];
      if (kindOf(permissions, permission) !== kind)
        return [{ field, expected: `a permission of kind ${kind}` }];
      if (governed.includes(permission) || row.permissions.indexOf(permission) < place)
        return [{ field, expected: "each permission once" }];
      return [];
    });
    return [...label, ...misfits];
  });
}

function kindOf(permissions: Permissions, permission: string) {
  return Object.hasOwn(permissions, permission) ? permissions[permission] : undefined;
}

function deepFreeze<T extends object>(data: T): T {
  for (const part of Object.values(data)) if (typeof part === "object" && part !== null) deepFreeze(part);
  return Object.freeze(data);
}

import * as z from "zod";
import type { FieldProblem } from "../model/errors.js";
import { parse } from "../model/validation.js";
import type { Cap } from "./cap.js";
import { goesBeyond, grantOf } from "./grant.js";
import type { Permissions } from "./permission.js";
import type { OrgGrants, PolicyData, ProjectGrants, Row } from "./spec.js";
import { grantProblems, parseSpec, partSchemas, type Roles, refuse, rowProblems } from "./spec-schema.js";

/** The permissions of a policy together with those of its extension. */
export type Extended<P extends Permissions, Q extends Permissions> = {
  readonly [Id in keyof P | keyof Q]: Id extends keyof Q ? Q[Id] : Id extends keyof P ? P[Id] : never;
};

/** Refuses a name that is taken, at compile time. Names known only at run time are checked then. */
export type Untaken<Name extends PropertyKey, Taken extends PropertyKey, T> = string extends Taken
  ? T
  : Name extends Taken
    ? never
    : T;

/**
 * What is added to a policy. Roles, permissions and raised grants only ever allow more; caps only ever allow less.
 *
 * `raise` widens what existing roles grant. No existing role grants a new permission unless it is raised. A row with a
 * label that the policy already has adds its permissions to that row.
 */
export interface PolicyExtension<
  P extends Permissions = Permissions,
  OrgRole extends string = string,
  ProjectRole extends string = string,
  Condition extends string = string,
  CapId extends string = string,
  Q extends Permissions = Permissions,
  NewOrgRole extends string = string,
  NewProjectRole extends string = string,
  NewCondition extends string = string,
  NewCapId extends string = string,
> {
  readonly permissions?: { readonly [Id in keyof Q]: Untaken<Id, keyof P, Q[Id]> } | undefined;
  readonly orgRoles?:
    | {
        readonly [Role in NewOrgRole]: Untaken<
          Role,
          OrgRole,
          OrgGrants<Extended<P, NoInfer<Q>>, Condition | NoInfer<NewCondition>>
        >;
      }
    | undefined;
  readonly projectRoles?:
    | {
        readonly [Role in NewProjectRole]: Untaken<
          Role,
          ProjectRole,
          ProjectGrants<Extended<P, NoInfer<Q>>, Condition | NoInfer<NewCondition>>
        >;
      }
    | undefined;
  /** What existing roles grant from now on: at least what they grant already. */
  readonly raise?:
    | {
        readonly orgRoles?:
          | {
              readonly [Role in OrgRole]?:
                | OrgGrants<Extended<P, NoInfer<Q>>, Condition | NoInfer<NewCondition>>
                | undefined;
            }
          | undefined;
        readonly projectRoles?:
          | {
              readonly [Role in ProjectRole]?:
                | ProjectGrants<Extended<P, NoInfer<Q>>, Condition | NoInfer<NewCondition>>
                | undefined;
            }
          | undefined;
      }
    | undefined;
  readonly conditions?: { readonly [Name in NewCondition]: Untaken<Name, Condition, string> } | undefined;
  readonly caps?:
    | {
        readonly [Id in NewCapId]: Untaken<
          Id,
          CapId,
          Cap<Extended<P, NoInfer<Q>>, Condition | NoInfer<NewCondition>>
        >;
      }
    | undefined;
  readonly rows?: readonly Row<Extended<P, NoInfer<Q>>>[] | undefined;
}

const { permissions, roles, raisedRoles, conditions, caps, rows } = partSchemas;

const extensionSchema = z.strictObject({
  permissions: permissions.default({}),
  orgRoles: roles.default({}),
  projectRoles: roles.default({}),
  raise: z
    .strictObject({ orgRoles: raisedRoles.default({}), projectRoles: raisedRoles.default({}) })
    .default({ orgRoles: {}, projectRoles: {} }),
  conditions: conditions.default({}),
  caps: caps.default({}),
  rows: rows.default([]),
});

/**
 * The spec of a policy with an extension applied.
 *
 * @throws ValidationError naming each wrong field
 */
export function extended(spec: PolicyData, input: unknown): PolicyData {
  const extension = parse(extensionSchema, input);
  const { raise } = extension;
  const permissions = { ...spec.permissions, ...extension.permissions };
  const conditions = { ...spec.conditions, ...extension.conditions };
  refuse([
    ...takenProblems(spec.permissions, extension.permissions, "permissions"),
    ...takenProblems(spec.orgRoles, extension.orgRoles, "orgRoles"),
    ...takenProblems(spec.projectRoles, extension.projectRoles, "projectRoles"),
    ...takenProblems(spec.conditions, extension.conditions, "conditions"),
    ...takenProblems(spec.caps, extension.caps, "caps"),
    ...grantProblems(permissions, conditions, raise.orgRoles, "raise.orgRoles"),
    ...grantProblems(permissions, conditions, raise.projectRoles, "raise.projectRoles"),
    ...raiseProblems(spec.orgRoles, raise.orgRoles, "raise.orgRoles"),
    ...raiseProblems(spec.projectRoles, raise.projectRoles, "raise.projectRoles"),
    ...askProblems(spec.rows, extension.rows),
    ...rowProblems(permissions, extension.rows, spec.rows),
  ]);
  return parseSpec({
    permissions,
    orgRoles: { ...raised(spec.orgRoles, raise.orgRoles), ...extension.orgRoles },
    projectRoles: { ...raised(spec.projectRoles, raise.projectRoles), ...extension.projectRoles },
    conditions,
    caps: { ...spec.caps, ...extension.caps },
    baseOrgRole: spec.baseOrgRole,
    rows: mergedRows(spec.rows, extension.rows),
  });
}

function takenProblems(present: object, added: object, root: string): FieldProblem[] {
  const taken = Object.keys(added).filter((name) => Object.hasOwn(present, name));
  return taken.map((name) => ({ field: `${root}.${name}`, expected: "a name that is not taken" }));
}

function raiseProblems(present: Roles, raise: Roles, root: string): FieldProblem[] {
  return Object.entries(raise).flatMap(([role, grants]) => {
    const granted = Object.hasOwn(present, role) ? present[role] : undefined;
    if (granted === undefined) return [{ field: `${root}.${role}`, expected: "a role of the policy" }];
    const lowered = Object.keys(grants).filter((permission) =>
      goesBeyond(grantOf(granted, permission), grantOf(grants, permission)),
    );
    return lowered.map((permission) => ({
      field: `${root}.${role}.${permission}`,
      expected: "at least what the role grants already",
    }));
  });
}

function raised(present: Roles, raise: Roles): Roles {
  return Object.fromEntries(
    Object.entries(present).map(([role, grants]) => [
      role,
      { ...grants, ...(Object.hasOwn(raise, role) ? raise[role] : {}) },
    ]),
  );
}

function askProblems(present: readonly Row[], added: readonly Row[]): FieldProblem[] {
  return added.flatMap((row, index) => {
    const asks = present.find(({ label }) => label === row.label)?.ask ?? row.ask;
    return asks === row.ask
      ? []
      : [{ field: `rows[${index}].ask`, expected: `${asks}, as this row asks already` }];
  });
}

function mergedRows(present: readonly Row[], added: readonly Row[]) {
  const addedTo = (label: string) =>
    added.filter((row) => row.label === label).flatMap((row) => row.permissions);
  return [
    ...present.map((row) => ({ ...row, permissions: [...row.permissions, ...addedTo(row.label)] })),
    ...added.filter(({ label }) => !present.some((row) => row.label === label)),
  ];
}

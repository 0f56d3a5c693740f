import { ValidationError } from "../../model/errors.js";
import { type Claims, fieldOf } from "./claim.js";

/** The parts of a policy in which it names things. */
type Spec = Readonly<Record<"permissions" | "orgRoles" | "projectRoles" | "conditions" | "caps", object>>;

/** The parts of each form of a claim. A part that no form has beside the others would be passed over. */
const PARTS: readonly (readonly string[])[] = [
  ["allowed"],
  ["denied"],
  ["of", "onlyIf"],
  ["of", "exactlyIf"],
  ["of", "sameAs"],
];

const FORMS =
  "a function, or an object with allowed, denied, or of and onlyIf, exactlyIf or sameAs, and nothing else";

/**
 * Refuses claims that say less than they seem to: a misspelt name among several would be one cell less that is looked
 * at, a second verb none at all, and nobody would notice. The compiler takes most of them for what they are, but not
 * all.
 *
 * @throws ValidationError naming the claim, by what it says, and what the policy has
 */
export function checkForm(claims: Claims, spec: Spec): void {
  const known = namesOf(spec);
  for (const [statement, claim] of Object.entries<unknown>(claims)) {
    const field = fieldOf(statement);
    if (typeof claim === "function") continue;
    const parts = Object.entries(Object(claim)).filter(([, where]) => where !== undefined);
    const has = (form: readonly string[]) =>
      form.length === parts.length && parts.every(([part]) => form.includes(part));
    if (!PARTS.some(has)) throw new ValidationError([{ field, expected: FORMS }]);
    for (const [part, where] of parts) {
      if (part === "sameAs" || typeof where === "function") continue;
      for (const pattern of [where].flat()) checkPattern(pattern, `${field}.${part}`, known);
    }
  }
}

function checkPattern(pattern: unknown, field: string, known: ReadonlyMap<string, readonly unknown[]>): void {
  if (typeof pattern !== "object" || pattern === null) {
    throw new ValidationError([{ field, expected: "a pattern, a list of them, or a function" }]);
  }
  for (const [fact, said] of Object.entries(pattern)) {
    if (said === undefined) continue;
    const names = known.get(fact);
    if (names === undefined) {
      throw new ValidationError([
        { field: `${field}.${fact}`, expected: `one of ${[...known.keys()].join(", ")}` },
      ]);
    }
    if (fact === "conditions" && (said === null || !Object.values(Object(said)).every(isSaidOrLeftOut))) {
      throw new ValidationError([{ field: `${field}.conditions`, expected: "true or false for each" }]);
    }
    const values = fact === "conditions" ? Object.keys(Object(said)) : [said].flat();
    const unknown = values.filter((value) => !names.includes(value));
    if (unknown.length === 0) continue;
    const expected = `one of ${names.map(String).join(", ")}, not ${unknown.map((value) => JSON.stringify(value)).join(", ")}`;
    throw new ValidationError([{ field: `${field}.${fact}`, expected }]);
  }
}

function isSaidOrLeftOut(holds: unknown): boolean {
  return typeof holds === "boolean" || holds === undefined;
}

/** What the facts of a pattern may be. */
function namesOf(spec: Spec): Map<string, readonly unknown[]> {
  const projectRoles = [...Object.keys(spec.projectRoles), null];
  return new Map<string, readonly unknown[]>([
    ["permission", Object.keys(spec.permissions)],
    ["kind", ["org", "project", "owned"]],
    ["orgRole", [...Object.keys(spec.orgRoles), null]],
    ["projectRole", projectRoles],
    ["otherProjectRole", projectRoles],
    ["key", ["here", "elsewhere", null]],
    ["sameOrg", [true, false]],
    ["own", [true, false]],
    ["conditions", Object.keys(spec.conditions)],
    ["caps", Object.keys(spec.caps)],
  ]);
}

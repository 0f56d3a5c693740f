import { ValidationError } from "../../model/errors.js";
import type { Claims } from "./claim.js";

/** The parts of a policy in which it names things. */
type Spec = Readonly<Record<"permissions" | "orgRoles" | "projectRoles" | "conditions" | "caps", object>>;

const VERBS = ["allowed", "denied", "onlyIf", "exactlyIf", "sameAs"];

const FORMS = "a function, or an object with allowed, denied, or of and onlyIf, exactlyIf or sameAs";

/**
 * Refuses claims that the compiler would not take, for tests in JavaScript: a misspelt name among several would be one
 * cell less that is looked at, and nobody would notice.
 *
 * @throws ValidationError naming the claim, by what it says, and what the policy has
 */
export function checkForm(claims: Claims, spec: Spec): void {
  const known = namesOf(spec);
  for (const [statement, claim] of Object.entries<unknown>(claims)) {
    const field = `claims[${JSON.stringify(statement)}]`;
    if (typeof claim === "function") continue;
    if (!VERBS.some((verb) => verb in Object(claim))) throw new ValidationError([{ field, expected: FORMS }]);
    for (const [part, where] of Object.entries(Object(claim))) {
      if (part === "sameAs" || typeof where === "function") continue;
      for (const pattern of [where].flat()) {
        for (const [fact, names] of known) {
          const said: unknown = Object(pattern)[fact];
          const values = fact === "conditions" ? Object.keys(Object(said)) : [said ?? []].flat();
          if (values.every((value) => value === null || names.includes(value))) continue;
          throw new ValidationError([
            { field: `${field}.${part}.${fact}`, expected: `of ${names.join(", ")}` },
          ]);
        }
      }
    }
  }
}

/** What the facts of a pattern may name. */
function namesOf({ permissions, orgRoles, projectRoles, conditions, caps }: Spec): Map<string, unknown[]> {
  const names = { permission: permissions, orgRole: orgRoles, projectRole: projectRoles, caps, conditions };
  const known = new Map(
    Object.entries(names).map(([fact, named]) => [fact, Object.keys(named) as unknown[]]),
  );
  known.set("otherProjectRole", known.get("projectRole") ?? []);
  return known;
}

/**
 * The conditions that hold for one call, as the gateway found them: `{ mfa: true, officeHours: false }`.
 *
 * A condition that is left out does not hold. Conditions only ever allow: one lets a grant count, or lifts a cap. So a
 * gateway that forgets to pass one denies too much, never too little.
 */
export type Conditions<Name extends string = string> = {
  readonly [C in Name]?: boolean | undefined;
  // Without names there is no property: TypeScript would let an empty object type have any.
} & ([Name] extends [never] ? { readonly [C in string]: never } : unknown);

/** Whether a condition holds. Only own properties count, so a polluted `Object.prototype` makes none hold. */
export function holds(conditions: Conditions | undefined, name: string): boolean {
  return conditions !== undefined && Object.hasOwn(conditions, name) && conditions[name] === true;
}

/** Every combination of conditions, beginning with the one in which none holds. */
export function combinations(names: readonly string[]): Conditions[] {
  return Array.from({ length: 2 ** names.length }, (_, bits) =>
    Object.fromEntries(names.filter((_, place) => (bits >> place) & 1).map((name) => [name, true])),
  );
}

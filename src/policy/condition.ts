/**
 * Which conditions hold for one call, as the gateway found them: `{ mfa: true, officeHours: false }`.
 *
 * What is left out does not hold. A condition only ever allows: it lets a grant count, or lifts a cap. So whoever forgets
 * to say that one holds denies too much, never too little.
 */
export type Conditions<Name extends string = string> = {
  readonly [C in Name]?: boolean | undefined;
  // Where there are no names, no property: TypeScript lets an empty object type have any.
} & ([Name] extends [never] ? { readonly [C in string]: never } : unknown);

/** Whether a condition holds. Own properties only: a polluted `Object.prototype` makes none hold. */
export function holds(conditions: Conditions | undefined, name: string): boolean {
  return conditions !== undefined && Object.hasOwn(conditions, name) && conditions[name] === true;
}

/** Every combination of conditions, the one in which none holds first. */
export function combinations(names: readonly string[]): Conditions[] {
  return Array.from({ length: 2 ** names.length }, (_, bits) =>
    Object.fromEntries(names.filter((_, place) => (bits >> place) & 1).map((name) => [name, true])),
  );
}

import { ValidationError } from "../../model/errors.js";

/**
 * Refuses an end in the past. Most likely, seconds were given instead of milliseconds.
 *
 * @throws ValidationError naming `field`
 */
export function requireLater(field: string, moment: number | undefined, now: number): void {
  if (moment !== undefined && moment <= now) {
    throw new ValidationError([{ field, expected: "a moment in the future, in milliseconds since 1970" }]);
  }
}

/**
 * Refuses an end from before the record was made, for the same reason. A later end in the past is fine: it ends now.
 *
 * @throws ValidationError naming `field`
 */
export function requireSinceMade(field: string, end: number | null | undefined, createdAt: number): void {
  if (end != null && end < createdAt) {
    throw new ValidationError([
      { field, expected: "a moment not before it was made, in milliseconds since 1970" },
    ]);
  }
}

/**
 * Whether something that has ended is started again, by a later end or none. Everything in it then counts as given, not
 * only the end.
 */
export function beginsAgain(
  endedAt: number | undefined,
  end: number | null | undefined,
  now: number,
): boolean {
  if (endedAt === undefined || endedAt > now) return false;
  return end === null || (end !== undefined && end > now);
}

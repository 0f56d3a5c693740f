/**
 * What a warning says of something that was thrown: the name alone, since the message may hold anything, secrets too.
 */
export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : "not an Error";
}

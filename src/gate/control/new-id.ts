import { randomBytes } from "node:crypto";

/** A new id: in the order of making, to the millisecond, and unlike any other by 96 random bits. */
export function newId(prefix: string, now: number): string {
  return `${prefix}_${now.toString(36).padStart(9, "0")}${randomBytes(12).toString("hex")}`;
}

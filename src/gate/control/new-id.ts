import { randomBytes } from "node:crypto";

/** Makes a new id. Ids sort by the time they were made, to the millisecond, and differ by 96 random bits. */
export function newId(prefix: string, now: number): string {
  return `${prefix}_${now.toString(36).padStart(9, "0")}${randomBytes(12).toString("hex")}`;
}

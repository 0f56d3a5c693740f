import type { RecordKind } from "../../model/records.js";
import { snakeCase } from "../snake-case.js";

/** The table of a kind. */
export function tableOf(kind: RecordKind): string {
  return `tollgate_${snakeCase(kind)}`;
}

/** The column of an indexed field. */
export function columnOf(field: string): string {
  return snakeCase(field);
}

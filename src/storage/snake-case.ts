/** The name of a field or a kind as a column or a table: `orgId` is `org_id`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Any text as one cell of a Markdown table: it ends neither its cell nor its line. */
export function inCell(text: string): string {
  return text.replaceAll(/[\\|]/g, "\\$&").replaceAll(/\r\n|[\n\v\f\r\u0085\u2028\u2029]/g, " ");
}

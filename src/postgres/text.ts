/**
 * The text of Postgres is UTF-8 without NUL; ids of ours may have NULs, and what a caller asks for may have halves of
 * surrogate pairs. Those code units are written as this character, which Unicode gives to nobody, and four hex digits;
 * so is the character itself. What is stored or looked up stays distinct, and every id is an ordinary one.
 */
const ESCAPE = "\u{10FFFE}";

const UNSTORABLE = /\0|\u{10FFFE}|\p{Surrogate}/gu;

/** A text as Postgres can hold it. */
export function storable(text: string): string {
  return text.replace(UNSTORABLE, (found) => {
    let escaped = "";
    for (let i = 0; i < found.length; i++) escaped += ESCAPE + hexOf(found.charCodeAt(i));
    return escaped;
  });
}

/** Data as JSON whose texts Postgres can hold, keys included. */
export function storableJson(data: unknown): string {
  const json = JSON.stringify(data);
  // Nearly all JSON has nothing of the kind, and is told so a good deal faster than the expression finds out.
  if (!json.includes("\\u") && !json.includes(ESCAPE)) return json;
  // JSON escapes NULs and halves of pairs by itself; an escaped backslash before `u` is matched so as to be passed
  // over.
  return json.replace(/\\\\|\\u(0000|d[89a-f][0-9a-f]{2})|\u{10FFFE}/gu, (found, unit?: string) => {
    if (unit !== undefined) return ESCAPE + unit;
    return found === ESCAPE ? storable(found) : found;
  });
}

/** What {@link storableJson} was made of. */
export function fromStorableJson(json: string): unknown {
  if (!json.includes(ESCAPE)) return JSON.parse(json);
  return JSON.parse(json.replace(/\u{10FFFE}([0-9a-f]{4})/gu, "\\u$1"));
}

function hexOf(unit: number): string {
  return unit.toString(16).padStart(4, "0");
}

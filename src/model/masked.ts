const TOKEN_MIN = 40;

/** What may be a token: 40 or more letters and digits on end. Ids that are made here have fewer. */
const PERHAPS_TOKEN = /[0-9A-Za-z]{40,}/g;

/**
 * A text for people without what may be a token; of such a part it shows the last four characters. Whoever mistakes a
 * token for an id, or for the name of a field, must not find it in a log.
 */
export function masked(text: string): string {
  if (text.length < TOKEN_MIN) return text;
  return text.replace(PERHAPS_TOKEN, (run) => `••••${run.slice(-4)}`);
}

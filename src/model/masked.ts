const TOKEN_MIN = 40;

/** What may be a token: 40 or more letters and digits in a row. Ids made here have fewer. */
const PERHAPS_TOKEN = /[0-9A-Za-z]{40,}/g;

/**
 * Masks whatever may be a token in a text for people, except its last four characters. If somebody mistakes a token for
 * an id or the name of a field, it must not end up in a log.
 */
export function masked(text: string): string {
  if (text.length < TOKEN_MIN) return text;
  return text.replace(PERHAPS_TOKEN, (run) => `••••${run.slice(-4)}`);
}

/** What tokens begin with, unless a gate is told otherwise. */
export const KEY_PREFIX = "sk-tg-";

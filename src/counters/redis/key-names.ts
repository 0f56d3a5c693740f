import { createHash } from "node:crypto";

/** Longer names are hashed, so that the names of a million scopes do not take more memory than their counts. */
const NAME_MAX = 128;

/** What may stand in a hash tag as it is. */
const PLAIN_TAG = /^[\w.:@+-]{1,64}$/;

/**
 * The hash tag of an org: the keys that carry it lie in one slot of a cluster.
 *
 * No id breaks out of it, and no two ids have the same: one that is long, empty or has other characters is hashed, over its
 * UTF-16, in which lone surrogates differ too.
 */
export function tagOf(orgId: string): string {
  return `{${PLAIN_TAG.test(orgId) ? orgId : hashed(orgId)}}`;
}

/** A name that Redis can keep: the text itself, or a hash of what is long, no well-formed Unicode or looks like one of ours. */
export function nameOf(text: string): string {
  return text.length <= NAME_MAX && /^[^#@~=]/.test(text) && text.isWellFormed() ? text : hashed(text);
}

function hashed(text: string): string {
  return `#${createHash("sha256").update(text, "utf16le").digest("base64url")}`;
}

/** Names the keys of one prefix. */
export class KeyNames {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Everything that is counted for a scope. */
  scope(orgId: string, scopeKey: string): string {
    return `${this.#prefix}${tagOf(orgId)}:s:${nameOf(scopeKey)}`;
  }

  /** A reservation, open or closed. */
  reservation(orgId: string, id: string): string {
    return `${this.#prefix}${tagOf(orgId)}:r:${nameOf(id)}`;
  }

  /** What calls of the same limits have in common, by their tags. */
  plan(orgId: string, tags: string): string {
    return `${this.#prefix}${tagOf(orgId)}:p:${nameOf(tags)}`;
  }

  /** Which reservation an idempotency key has made. */
  idempotency(orgId: string, key: string): string {
    return `${this.#prefix}${tagOf(orgId)}:i:${nameOf(key)}`;
  }
}

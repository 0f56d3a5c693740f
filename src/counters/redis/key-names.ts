import { createHash } from "node:crypto";

/** Longer names are hashed, so that the names of a million scopes do not take more memory than their counts. */
const NAME_MAX = 128;

/** What can be in a hash tag as it is. */
const PLAIN_TAG = /^[\w.:@+-]{1,64}$/;

/**
 * The hash tag of an org. All keys that carry it are in one slot of a cluster.
 *
 * No id can break out of it, and no two ids have the same tag: an id that is long, empty or has other characters is
 * hashed, over its UTF-16, in which lone surrogates differ too.
 */
export function tagOf(orgId: string): string {
  return `{${PLAIN_TAG.test(orgId) ? orgId : hashed(orgId)}}`;
}

/**
 * A name that Redis can keep: the text itself, or a hash if it is long, not well-formed Unicode, or looks like one of
 * ours.
 */
export function nameOf(text: string): string {
  return text.length <= NAME_MAX && /^[^#@~=]/.test(text) && text.isWellFormed() ? text : hashed(text);
}

function hashed(text: string): string {
  return `#${createHash("sha256").update(text, "utf16le").digest("base64url")}`;
}

/** Makes the names of keys with one prefix. */
export class KeyNames {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** The key of everything that is counted for a scope. */
  scope(orgId: string, scopeKey: string): string {
    return `${this.#prefix}${tagOf(orgId)}:s:${nameOf(scopeKey)}`;
  }

  /** The key of a reservation, open or closed. */
  reservation(orgId: string, id: string): string {
    return `${this.#prefix}${tagOf(orgId)}:r:${nameOf(id)}`;
  }

  /** The key of what calls of the same limits share, by their tags. */
  plan(orgId: string, tags: string): string {
    return `${this.#prefix}${tagOf(orgId)}:p:${nameOf(tags)}`;
  }

  /** The key of the reservation that an idempotency key has made. */
  idempotency(orgId: string, key: string): string {
    return `${this.#prefix}${tagOf(orgId)}:i:${nameOf(key)}`;
  }
}

import type { KeyRef } from "../gate/chain/key-resolver.js";
import type { Call } from "./call.js";
import { Line, type LineHooks } from "./line.js";

/**
 * The calls that wait, in the lines of their keys. Iteration is over lines, the one that was served longest ago first.
 */
export class Lines {
  /** INVARIANT: a line is in here if and only if somebody waits in it. */
  readonly #byName = new Map<string, Line>();
  readonly #byCall = new Map<Call, Line>();
  readonly #hooks: LineHooks;

  constructor(hooks: LineHooks) {
    this.#hooks = hooks;
  }

  /** How many lines there are. */
  get size(): number {
    return this.#byName.size;
  }

  /** How many calls wait in all of them. */
  get waiting(): number {
    return this.#byCall.size;
  }

  [Symbol.iterator](): Iterator<Line> {
    return this.#byName.values();
  }

  has(key: KeyRef): boolean {
    return this.#byName.has(nameOf(key));
  }

  /** The line in which a call waits. */
  of(call: Call): Line | undefined {
    return this.#byCall.get(call);
  }

  /** Puts a call into the line of its key. */
  add(call: Call): void {
    const name = nameOf(call.key);
    let line = this.#byName.get(name);
    if (line === undefined) {
      line = new Line(name, this.#hooks);
      this.#byName.set(name, line);
    }
    this.#byCall.set(call, line);
    line.add(call);
  }

  /**
   * Takes a call out of the line in which it waits.
   *
   * @returns that line, or `undefined` if it waits in none
   */
  remove(call: Call): Line | undefined {
    const line = this.of(call);
    if (line === undefined) return undefined;
    this.#byCall.delete(call);
    line.remove(call);
    if (line.waiting.size === 0) this.#byName.delete(line.name);
    return line;
  }

  /** Puts a line that was served after all others. */
  putLast(line: Line): void {
    if (this.#byName.delete(line.name)) this.#byName.set(line.name, line);
  }

  /**
   * The call whose place another one may take: a less urgent call of its own key, or the last one of the key with the
   * most calls if its own key has at least two fewer. So a noisy key cannot keep the others out.
   */
  lastBehind(call: Call): Call | undefined {
    const own = this.#byName.get(nameOf(call.key))?.waiting;
    if (own?.last !== undefined && own.last.priority > call.priority) return own.last;
    let longest = own;
    for (const { waiting } of this) {
      if (waiting.size > (longest?.size ?? 0)) longest = waiting;
    }
    const isNoisier = (longest?.size ?? 0) > (own?.size ?? 0) + 1;
    return isNoisier ? longest?.last : undefined;
  }
}

/** A token and an id are different names: only the gate knows which key a token belongs to. */
function nameOf(key: KeyRef): string {
  if (typeof key === "string") return `token ${key}`;
  const { keyId } = Object(key);
  return typeof keyId === "string" ? `id ${keyId}` : ""; // the gate refuses it
}

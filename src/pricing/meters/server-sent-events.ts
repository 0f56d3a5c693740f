/** Most characters of one event that are kept. The last event of a response repeats the whole answer. */
const EVENT_MAX = 8_388_608;

/** Whoever is told what a stream holds. */
interface Listener {
  /** What an event held; answers whether something could be made of it. */
  event(data: string): boolean;
  /** An event was too long, and what it held is lost. */
  lost(): void;
}

/**
 * Reads the data of server-sent events from a stream as it passes, in pieces cut at any byte.
 *
 * It keeps the event under way and nothing else. An event of more than 8,388,608 characters is passed over, and
 * told as lost.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export class EventReader {
  readonly #listener: Listener;
  readonly #decoder = new TextDecoder();
  /** The line under way. */
  #line = "";
  /** The data lines of the event under way; undefined where it has none yet. */
  #data: string | undefined;
  /** Whether the rest of the line is passed over, since it is too long or was told by {@link flush}. */
  #skipping = false;
  #afterCarriageReturn = false;
  #hasContent = false;

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  /**
   * Whether anything came but blanks and comments, which keep a connection open: an event, or what is no stream of
   * events.
   */
  get hasContent(): boolean {
    return this.#hasContent;
  }

  push(chunk: Uint8Array | string): void {
    const text = typeof chunk === "string" ? chunk : this.#decoder.decode(chunk, { stream: true });
    let start = 0;
    if (this.#afterCarriageReturn && text !== "") {
      this.#afterCarriageReturn = false;
      if (text.charCodeAt(0) === LINE_FEED) start = 1;
    }
    while (start < text.length) {
      const end = lineEnd(text, start);
      this.#keep(text.slice(start, end));
      if (end === text.length) return;
      this.#endLine();
      start = end + 1;
      if (text.charCodeAt(end) !== CARRIAGE_RETURN) continue;
      if (start === text.length) this.#afterCarriageReturn = true;
      else if (text.charCodeAt(start) === LINE_FEED) start++;
    }
  }

  /**
   * Tells the event under way although its end has not come: a stream may end without its last blank line. An event
   * that nobody can make anything of is kept, since the rest of it may still come.
   */
  flush(): void {
    const data = joined(this.#data, dataOf(this.#line));
    if (data === undefined || !this.#listener.event(data)) return;
    this.#data = undefined;
    this.#skipping ||= this.#line !== "";
    this.#line = "";
  }

  #keep(piece: string): void {
    if (this.#skipping) return;
    this.#line += piece;
    this.#hasContent ||= isContent(this.#line);
    if (this.#line.length <= EVENT_MAX) return;
    this.#line = "";
    this.#skipping = true;
    this.#listener.lost();
  }

  #endLine(): void {
    const line = this.#line;
    const skipped = this.#skipping;
    this.#line = "";
    this.#skipping = false;
    if (skipped) return;
    if (line === "") {
      const data = this.#data;
      this.#data = undefined;
      if (data !== undefined) this.#listener.event(data);
      return;
    }
    const data = joined(this.#data, dataOf(line));
    const isTooLong = data !== undefined && data.length > EVENT_MAX;
    this.#data = isTooLong ? undefined : data;
    if (isTooLong) this.#listener.lost();
  }
}

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** Where the line ends that begins at `start`: at a line feed, a carriage return or the end of the text. */
function lineEnd(text: string, start: number): number {
  const feed = text.indexOf("\n", start);
  const end = feed === -1 ? text.length : feed;
  // Looked for within the line only, so that a text without carriage returns is not searched to its end for each line.
  const carriageReturn = text.slice(start, end).indexOf("\r");
  return carriageReturn === -1 ? end : start + carriageReturn;
}

function isContent(line: string): boolean {
  const text = unmarked(line);
  return text[0] !== ":" && text.trim() !== "";
}

/** The line without the mark that a text may begin with. */
function unmarked(line: string): string {
  return line.charCodeAt(0) === 0xfeff ? line.slice(1) : line;
}

/** What a line adds to the data of its event; undefined for a comment or another field. */
function dataOf(line: string): string | undefined {
  const text = unmarked(line);
  if (!text.startsWith("data")) return undefined;
  if (text.length === 4) return "";
  if (text[4] !== ":") return undefined;
  return text[5] === " " ? text.slice(6) : text.slice(5);
}

function joined(before: string | undefined, line: string | undefined): string | undefined {
  if (before === undefined || line === undefined) return before ?? line;
  return `${before}\n${line}`;
}

import { ValidationError } from "../model/errors.js";
import { MOMENT_MAX } from "../model/text.js";
import { TOKENS_MAX } from "../model/usage.js";

/** One call of a trace: when it came, and what it turned out to use. */
export interface TraceCall {
  /** When it arrived, in epoch milliseconds. */
  readonly at: number;
  /** The whole prompt, in tokens. */
  readonly inputTokens: number;
  /** The tokens that the model answered with. */
  readonly outputTokens: number;
}

/** @throws ValidationError naming the first call that is wrong or comes before the one in front of it */
export function checkTrace(trace: readonly TraceCall[]): void {
  let before = Number.NEGATIVE_INFINITY;
  for (const [index, { at, inputTokens, outputTokens }] of trace.entries()) {
    const field = `trace[${index}]`;
    if (!isMoment(at)) throw wrong(`${field}.at`, A_MOMENT);
    if (at < before) throw wrong(`${field}.at`, "no earlier than the call before it");
    if (!isTokens(inputTokens)) throw wrong(`${field}.inputTokens`, TOKENS);
    if (!isTokens(outputTokens)) throw wrong(`${field}.outputTokens`, TOKENS);
    before = at;
  }
}

export const A_MOMENT = "a moment in epoch milliseconds, at most the year 9999";

/** Whether a gate's clock may say so. */
export function isMoment(at: number): boolean {
  return Number.isFinite(at) && Math.abs(at) <= MOMENT_MAX;
}

const TOKENS = `a whole number of tokens, at most ${TOKENS_MAX}`;

function isTokens(tokens: number): boolean {
  return Number.isInteger(tokens) && tokens >= 0 && tokens <= TOKENS_MAX;
}

const HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens";

const TIMESTAMP = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|\+00:00)?$/;

/**
 * Reads a trace of LLM calls: lines of `TIMESTAMP,ContextTokens,GeneratedTokens`, as Azure publishes them.
 *
 * Timestamps such as `2023-11-16 18:15:46.6805900` are in UTC; digits below a millisecond are cut off. The header may
 * be missing, lines may end in CRLF, and the last line need not end at all. Logs of several machines are often slightly
 * out of order, so the calls are sorted by arrival. Those of the same millisecond stay in the order of the file.
 *
 * @throws ValidationError for the first bad line. Its `field` is `line` and the number, counted from 1.
 * @see https://github.com/Azure/AzurePublicDataset
 */
export function parseTrace(text: string): TraceCall[] {
  const lines = text
    .replace(/^\uFEFF/, "")
    .replace(/[\r\n]+$/, "")
    .split("\n");
  const calls: TraceCall[] = [];
  for (const [i, ended] of lines.entries()) {
    const line = ended.endsWith("\r") ? ended.slice(0, -1) : ended;
    const isHeader = i === 0 && line.toLowerCase() === HEADER.toLowerCase();
    const isEmptyFile = line === "" && lines.length === 1;
    if (!isHeader && !isEmptyFile) calls.push(callOf(line, i + 1));
  }
  return calls.sort((a, b) => a.at - b.at);
}

function callOf(line: string, number: number): TraceCall {
  const fields = line.split(",");
  if (fields.length !== 3) throw badLine(number, `three fields, ${HEADER}`);
  const [timestamp = "", input = "", output = ""] = fields;
  const at = momentOf(timestamp);
  if (at === undefined)
    throw badLine(number, "a UTC timestamp such as 2023-11-16 18:15:46.680 in the first field");
  return {
    at,
    inputTokens: tokensOf(input, "second", number),
    outputTokens: tokensOf(output, "third", number),
  };
}

function momentOf(timestamp: string): number | undefined {
  const [, year, month, day, hour, minute, second, fraction = ""] = TIMESTAMP.exec(timestamp) ?? [];
  if (year === undefined) return undefined;
  const ms = Number(fraction.slice(0, 3).padEnd(3, "0"));
  const at = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
    ms,
  );
  // `Date.UTC` carries overflow to the next unit: the 31st of a shorter month, 24:00. Such a moment has other parts.
  const isReal = new Date(at).toISOString().startsWith(`${year}-${month}-${day}T${hour}:${minute}:${second}`);
  return isReal ? at : undefined;
}

function tokensOf(field: string, which: string, number: number): number {
  const tokens = /^\d+$/.test(field) ? Number(field) : Number.NaN;
  if (tokens <= TOKENS_MAX) return tokens;
  throw badLine(number, `${TOKENS}, in the ${which} field`);
}

function badLine(number: number, expected: string): ValidationError {
  return wrong(`line ${number}`, expected);
}

function wrong(field: string, expected: string): ValidationError {
  return new ValidationError([{ field, expected }]);
}

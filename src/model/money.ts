import * as z from "zod";
import { ValidationError } from "./errors.js";

/** Nano-USD in one US dollar. Money is a whole number of these; 9,000,000 USD is still a safe integer. */
export const NANO_PER_USD = 1e9;

/** The largest single amount or limit, in US dollars. */
export const MAX_USD = 9_000_000;

const MAX_NANO = BigInt(MAX_USD) * BigInt(NANO_PER_USD);

const EXPECTED = "a non-negative amount of US dollars, at most 9,000,000";

/** A number's shortest decimal text has at most 25 characters. A string may be longer, within reason. */
const MAX_TEXT_LENGTH = 100;

const DECIMAL = /^(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/;

/** A non-negative decimal, exactly: `digits / 10 ** places`. */
export interface Decimal {
  readonly digits: bigint;
  /** Zero or more. */
  readonly places: number;
}

/**
 * Reads a decimal exactly: a string as written (`"0.15"`, `"1e-7"`), a number by its shortest decimal text.
 *
 * @returns `undefined` for anything else: a sign, NaN, an infinity, a blank, or more than 100 characters.
 */
export function decimalOf(value: unknown): Decimal | undefined {
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  const text = String(value);
  const match = text.length <= MAX_TEXT_LENGTH ? DECIMAL.exec(text) : null;
  if (match === null) return undefined;
  const [, whole = "", writtenFraction = "", exponent = "0"] = match;
  const fraction = writtenFraction.replace(/0+$/, "");
  const digits = BigInt(whole + fraction);
  const places = fraction.length - Number(exponent);
  return places >= 0 ? { digits, places } : { digits: digits * 10n ** BigInt(-places), places: 0 };
}

/**
 * Converts US dollars to a whole number of nano-USD: exactly, with a fraction of a nano-USD rounded up.
 *
 * @param usd 0 to 9,000,000 US dollars: a number, taken by its shortest decimal text, or a decimal string.
 * @param field The name that an error gives the amount. Default: `usd`.
 * @throws ValidationError naming `field` if `usd` is anything else.
 */
export function nanoUsd(usd: number | string, field = "usd"): number {
  if (typeof usd === "number") {
    if (usd === 0) return 0;
    // Below 1e15 nano-USD the quotient has at most 15 significant digits. Decimals that short are distinct as
    // doubles, so if it is the same double as `usd`, it is the shortest text of `usd`: no digit was rounded off.
    const nano = Math.round(usd * NANO_PER_USD);
    if (nano > 0 && nano < 1e15 && nano / NANO_PER_USD === usd) return nano;
  }
  const nano = exactNanoUsd(usd);
  if (nano === undefined) throw new ValidationError([{ field, expected: EXPECTED }]);
  return nano;
}

/**
 * Converts nano-USD to US dollars, for display and at the edges of the API.
 *
 * `nanoUsd(usdOf(nano))` is `nano` up to 8,388,608 USD. Above that, neighboring doubles are more than one nano-USD
 * apart.
 */
export function usdOf(nano: number): number {
  return nano / NANO_PER_USD;
}

/** Converts nano-USD to US dollars as exact decimal text without trailing zeros, such as `0.0025`. */
export function decimalUsd(nano: bigint): string {
  const digits = (nano < 0n ? -nano : nano).toString().padStart(10, "0");
  const fraction = digits.slice(-9).replace(/0+$/, "");
  return `${nano < 0n ? "-" : ""}${digits.slice(0, -9)}${fraction && `.${fraction}`}`;
}

/** US dollars for a sentence: `0.000000075`, where the number's own text would be `7.5e-8`. */
export function usdText(nano: number): string {
  // Counters of one's own may answer anything, and a message must not throw.
  return Number.isInteger(nano) ? decimalUsd(BigInt(nano)) : String(usdOf(nano));
}

/** The zod schema of an amount that {@link nanoUsd} accepts. It leaves the amount as written. */
export const usdSchema: z.ZodType<number | string, number | string> = z.custom<number | string>(
  isUsd,
  EXPECTED,
);

/** Whether {@link nanoUsd} accepts a value. */
export function isUsd(value: unknown): boolean {
  if (typeof value === "number") return value >= 0 && value <= MAX_USD;
  return exactNanoUsd(value) !== undefined;
}

function exactNanoUsd(usd: unknown): number | undefined {
  const decimal = decimalOf(usd);
  if (decimal === undefined) return undefined;
  const scale = 10n ** BigInt(decimal.places);
  const numerator = decimal.digits * BigInt(NANO_PER_USD);
  if (numerator > MAX_NANO * scale) return undefined;
  return Number((numerator + scale - 1n) / scale);
}

import { hash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** 62^43 is just above 2^256. */
const RANDOM_CHARS = 43;

/** 62^6 holds any CRC-32. */
const CHECKSUM_CHARS = 6;

/**
 * A new token: the prefix, 43 random base62 characters (256 bits), and a checksum over both.
 *
 * @param prefix The `keyPrefix` of the gate that is to know it, `sk-tg-` unless it was given one: it refuses any other.
 */
export function createToken(prefix: string): string {
  const body = prefix + base62(BigInt(`0x${randomBytes(32).toString("hex")}`), RANDOM_CHARS);
  return body + checksumOf(body);
}

/** Whether a token has the form of {@link createToken} and its checksum holds: a typing error is seen without a look-up. */
export function isWellFormed(token: string, prefix: string): boolean {
  if (token.length !== prefix.length + RANDOM_CHARS + CHECKSUM_CHARS || !token.startsWith(prefix))
    return false;
  if (!/^[0-9A-Za-z]*$/.test(token.slice(prefix.length))) return false;
  const body = token.slice(0, -CHECKSUM_CHARS);
  return token.slice(-CHECKSUM_CHARS) === checksumOf(body);
}

/**
 * SHA-256 of a token in hexadecimal: all that is ever stored of it.
 *
 * A plain hash is enough for 256 random bits; slow hashes are for what people make up.
 */
export function hashToken(token: string): string {
  return hash("sha256", token);
}

/** The same hash as 32 characters, one for each byte: half as much to make and to look up, and never stored. */
export function digestOfToken(token: string): string {
  return hash("sha256", token, "binary");
}

/** What {@link digestOfToken} makes of the token with a hash. */
export function digestOfHash(hashed: string): string {
  return Buffer.from(hashed, "hex").toString("binary");
}

/** What a person may see of a token: `sk-tg-••••4f2a`. */
export function previewOf(token: string, prefix: string): string {
  return `${prefix}••••${token.slice(-4)}`;
}

/** CRC-32 of a text in six base62 characters, as GitHub's tokens carry it. */
function checksumOf(body: string): string {
  return base62(BigInt(crc32(body)), CHECKSUM_CHARS);
}

function base62(value: bigint, length: number): string {
  let digits = "";
  for (let rest = value; digits.length < length; rest /= 62n) digits = ALPHABET[Number(rest % 62n)] + digits;
  return digits;
}

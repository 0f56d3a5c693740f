import { hash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** 62^43 is just above 2^256. */
const RANDOM_CHARS = 43;

/** 62^6 holds any CRC-32. */
const CHECKSUM_CHARS = 6;

/**
 * Makes a new token: the prefix, 43 random base62 characters (256 bits), and a 6-character checksum over both.
 *
 * @param prefix the `keyPrefix` of the gate that is to accept it: `sk-tg-`, unless that option says otherwise. A gate
 *   refuses any other prefix.
 */
export function createToken(prefix: string): string {
  const body = prefix + base62(BigInt(`0x${randomBytes(32).toString("hex")}`), RANDOM_CHARS);
  return body + checksumOf(body);
}

/**
 * Whether a token has the form of {@link createToken} and a matching checksum. A typing error is found without a
 * look-up.
 */
export function isWellFormed(token: string, prefix: string): boolean {
  if (token.length !== prefix.length + RANDOM_CHARS + CHECKSUM_CHARS || !token.startsWith(prefix))
    return false;
  if (!/^[0-9A-Za-z]*$/.test(token.slice(prefix.length))) return false;
  const body = token.slice(0, -CHECKSUM_CHARS);
  return token.slice(-CHECKSUM_CHARS) === checksumOf(body);
}

/**
 * Hashes a token: SHA-256 in hexadecimal, which is all that is ever stored of it.
 *
 * A plain hash is enough for 256 random bits; slow hashes are for secrets that people choose.
 */
export function hashToken(token: string): string {
  return hash("sha256", token);
}

/** The same hash as 32 characters, one per byte. It is half as long to make and look up, and is never stored. */
export function digestOfToken(token: string): string {
  return hash("sha256", token, "binary");
}

/** The digest of the token with a hash: see {@link digestOfToken}. */
export function digestOfHash(hashed: string): string {
  return Buffer.from(hashed, "hex").toString("binary");
}

/** The part of a token that people may see: `sk-tg-••••4f2a`. */
export function previewOf(token: string, prefix: string): string {
  return `${prefix}••••${token.slice(-4)}`;
}

/** The CRC-32 of a text in six base62 characters, as in GitHub's tokens. */
function checksumOf(body: string): string {
  return base62(BigInt(crc32(body)), CHECKSUM_CHARS);
}

function base62(value: bigint, length: number): string {
  let digits = "";
  for (let rest = value; digits.length < length; rest /= 62n) digits = ALPHABET[Number(rest % 62n)] + digits;
  return digits;
}

const ARRAY_16 = 0xdc;
const UINT_16 = 0xcd;
const UINT_32 = 0xce;
const INT_8 = 0xd0;
const DOUBLE = 0xcb;

/** A msgpack array of numbers: what Redis unpacks fastest, exactly. Short, as its Lua hashes every byte it is given. */
export class Numbers {
  readonly #bytes: Buffer;
  #length = 3;
  #count = 0;

  constructor(most: number) {
    this.#bytes = Buffer.allocUnsafe(3 + most * 9);
  }

  push(number: number): void {
    const bytes = this.#bytes;
    const at = this.#length;
    this.#count++;
    if (!Number.isInteger(number) || number < -128 || number > 0xffffffff) {
      bytes[at] = DOUBLE;
      this.#length = bytes.writeDoubleBE(number, at + 1);
    } else if (number < 0) {
      bytes[at] = INT_8;
      this.#length = bytes.writeInt8(number, at + 1);
    } else if (number < 0x80) {
      bytes[at] = number;
      this.#length = at + 1;
    } else if (number <= 0xffff) {
      bytes[at] = UINT_16;
      this.#length = bytes.writeUInt16BE(number, at + 1);
    } else {
      bytes[at] = UINT_32;
      this.#length = bytes.writeUInt32BE(number, at + 1);
    }
  }

  packed(): Buffer {
    this.#bytes[0] = ARRAY_16;
    this.#bytes.writeUInt16BE(this.#count, 1);
    return this.#bytes.subarray(0, this.#length);
  }
}

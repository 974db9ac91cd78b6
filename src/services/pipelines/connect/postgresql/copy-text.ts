/** Rows of a result (DataRow) written as PostgreSQL's COPY text format. */
const blockLength = 1024 * 1024;
const backslash = 0x5c;
const tab = 0x09;
const newline = 0x0a;

/** What stands after the backslash for a byte; 0 for one that stands for itself. */
const escapes = new Uint8Array(256);
for (const [byte, letter] of ["\bb", "\tt", "\nn", "\vv", "\ff", "\rr", "\\\\"].map(
  ([from = "", to = ""]) => [from.charCodeAt(0), to.charCodeAt(0)],
) as [number, number][])
  escapes[byte] = letter;

/** Gathers rows to a block of about 1 MB. */
export class CopyTextBlock {
  private block = new Uint8Array(blockLength);
  private filled = 0;

  get isEmpty(): boolean {
    return this.filled === 0;
  }

  get isFull(): boolean {
    return this.filled >= blockLength;
  }

  /** Adds a DataRow. */
  add(row: Uint8Array): void {
    const view = new DataView(row.buffer, row.byteOffset, row.byteLength);
    const columns = view.getInt16(0);
    // At worst each byte is escaped; a column adds its separator, NULL the two bytes of `\N`.
    this.reserve(row.length * 2 + columns + 1);
    const { block } = this;
    let { filled } = this;
    let at = 2;
    for (let column = 0; column < columns; column++) {
      if (column > 0) block[filled++] = tab;
      const length = view.getInt32(at);
      at += 4;
      if (length < 0) {
        block[filled++] = backslash;
        block[filled++] = 0x4e;
        continue;
      }
      for (const stop = at + length; at < stop; at++) {
        const byte = row[at] as number;
        const letter = escapes[byte] as number;
        if (letter === 0) block[filled++] = byte;
        else {
          block[filled++] = backslash;
          block[filled++] = letter;
        }
      }
    }
    block[filled++] = newline;
    this.filled = filled;
  }

  /** Gives away what was gathered; it may be empty. */
  release(): Uint8Array {
    const gathered = this.block.subarray(0, this.filled);
    this.block = new Uint8Array(blockLength);
    this.filled = 0;
    return gathered;
  }

  private reserve(bytes: number): void {
    if (this.filled + bytes <= this.block.length) return;
    const larger = new Uint8Array(Math.max(this.block.length * 2, this.filled + bytes));
    larger.set(this.block.subarray(0, this.filled));
    this.block = larger;
  }
}

/**
 * ClickHouse's TabSeparated as the form that rows travel in: `\'` becomes `'`, and a vertical tab `\v`. A NUL stays `\0`, for which that form has nothing;
 * bytes that are not UTF-8 stay as they are.
 */

const backslash = 0x5c;
const quote = 0x27;
const verticalTab = 0x0b;

/** Chunks of any size, of the same bytes but for these. */
export async function* canonicalChunks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array | null = null;
  for await (const chunk of chunks) {
    const whole: Uint8Array = held ? Buffer.concat([held, chunk]) : chunk;
    // What a backslash at the end belongs to is in the next chunk.
    const cut = backslashesBefore(whole, whole.length) % 2 === 1 ? whole.length - 1 : whole.length;
    held = cut < whole.length ? whole.subarray(cut) : null;
    if (cut > 0) yield canonical(whole.subarray(0, cut));
  }
  if (held) yield held;
}

function backslashesBefore(bytes: Uint8Array, end: number): number {
  let count = 0;
  while (bytes[end - 1 - count] === backslash) count++;
  return count;
}

function canonical(bytes: Uint8Array): Uint8Array {
  let quoteAt = bytes.indexOf(quote);
  let tabAt = bytes.indexOf(verticalTab);
  if (quoteAt < 0 && tabAt < 0) return bytes;
  const result = new Uint8Array(bytes.length * (tabAt < 0 ? 1 : 2));
  let length = 0;
  let from = 0;
  const copyUpTo = (end: number): void => {
    result.set(bytes.subarray(from, end), length);
    length += end - from;
    from = end;
  };
  while (quoteAt >= 0 || tabAt >= 0) {
    if (quoteAt >= 0 && (tabAt < 0 || quoteAt < tabAt)) {
      copyUpTo(quoteAt - (backslashesBefore(bytes, quoteAt) % 2));
      from = quoteAt;
      quoteAt = bytes.indexOf(quote, quoteAt + 1);
    } else {
      copyUpTo(tabAt);
      result[length++] = backslash;
      result[length++] = 0x76;
      from++;
      tabAt = bytes.indexOf(verticalTab, tabAt + 1);
    }
  }
  copyUpTo(bytes.length);
  return result.subarray(0, length);
}

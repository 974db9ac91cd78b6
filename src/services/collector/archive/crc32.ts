/** CRC-32 (ISO-HDLC, as ZIP and gzip use it) of parts that were read in parallel. */

const polynomial = 0xedb88320;

type Matrix = Uint32Array;

function times(matrix: Matrix, vector: number): number {
  let sum = 0;
  for (let row = 0, rest = vector; rest !== 0; row++, rest >>>= 1) if (rest & 1) sum ^= matrix[row] ?? 0;
  return sum >>> 0;
}

const square = (matrix: Matrix): Matrix => matrix.map((row) => times(matrix, row));

/** The operator that appends one zero bit to a message, as a matrix over GF(2). */
function oneZeroBit(): Matrix {
  const matrix = new Uint32Array(32);
  matrix[0] = polynomial;
  for (let row = 1; row < 32; row++) matrix[row] = 2 ** (row - 1);
  return matrix;
}

/** The CRC of two parts, one after the other; `secondLength` is the second one's length in bytes. */
export function combineCrc32(first: number, second: number, secondLength: number): number {
  let crc = first;
  let operator = square(square(square(oneZeroBit())));
  for (let rest = secondLength; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) crc = times(operator, crc);
    operator = square(operator);
  }
  return (crc ^ second) >>> 0;
}

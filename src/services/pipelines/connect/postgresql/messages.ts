/** Messages of PostgreSQL's protocol 3.0 (PostgreSQL documentation, chapter "Message Formats"): how ours are written and theirs are read. */

/** A message of the server; of the rows of a COPY, the data of many. */
export interface Message {
  /** Its first byte. */
  type: number;
  body: Uint8Array;
}

/** A column of a result, as the server describes it. */
export interface Field {
  name: string;
  /** The table's and the column's numbers; 0 when it comes from no table. */
  table: number;
  attribute: number;
  /** The type's number; of a domain its base type's. */
  type: number;
  modifier: number;
}

/** What the server refused, in its own words; `code` is the SQLSTATE. The names of users and passwords are taken out. */
export class PostgresError extends Error {
  override readonly name = "PostgresError";
  readonly code: string;
  /** Where in a COPY, when it was in one. */
  readonly where: string | null;

  constructor(code: string, message: string, where: string | null = null) {
    super(message);
    this.code = code;
    this.where = where;
  }
}

/** The first byte of a message. */
export const byteOf = (letter: string): number => letter.charCodeAt(0);

/** The messages of the server that are looked at. */
export const types = {
  key: byteOf("K"),
  ready: byteOf("Z"),
  error: byteOf("E"),
  notice: byteOf("N"),
  parameterStatus: byteOf("S"),
  notification: byteOf("A"),
  authentication: byteOf("R"),
  fields: byteOf("T"),
  parameters: byteOf("t"),
  row: byteOf("D"),
  complete: byteOf("C"),
  suspended: byteOf("s"),
  copyIn: byteOf("G"),
  copyData: byteOf("d"),
};

export const int16 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(2);
  bytes.writeInt16BE(value);
  return bytes;
};

export const int32 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value);
  return bytes;
};

/** A text that ends in NUL. Throws for one that holds a NUL: the server would read less than was meant. */
export function text(value: string): Buffer {
  if (value.includes("\0")) throw new PostgresError("22021", "a text for PostgreSQL holds a NUL character");
  return Buffer.from(`${value}\0`);
}

/** A whole message. */
export function message(letter: string, ...parts: Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 4);
  return Buffer.concat([Buffer.from(letter, "latin1"), int32(length), ...parts]);
}

/** A value that is bound to `$1`, `$2`…. */
export type Parameter = string | number | boolean | null;

/** The unnamed statement; types that are 0 or missing are for the server to infer. */
export const parse = (sql: string, types: readonly number[] = []): Buffer =>
  message("P", text(""), text(sql), int16(types.length), ...types.map(int32));

/** The unnamed portal, its parameters and its results as text. */
export function bind(parameters: readonly Parameter[]): Buffer {
  const values = parameters.flatMap((parameter) => {
    if (parameter === null) return [int32(-1)];
    const bytes = Buffer.from(String(parameter));
    return [int32(bytes.length), bytes];
  });
  return message("B", text(""), text(""), int16(0), int16(parameters.length), ...values, int16(0));
}

/** Asks for the columns of the unnamed statement (`S`) or portal (`P`). */
export const describe = (what: "S" | "P"): Buffer => message("D", Buffer.from(what), text(""));

/** Runs the unnamed portal for so many rows; 0 is all. */
export const execute = (rows: number): Buffer => message("E", text(""), int32(rows));

export const sync = message("S");
export const flush = message("H");
export const terminate = message("X");
export const copyDone = message("c");
export const copyFail = message("f", text("the sender failed"));

const decoder = new TextDecoder();

/** Reads the parts of a message's body, one after the other. Throws `RangeError` beyond its end. */
export class BodyReader {
  private readonly body: Buffer;
  private at = 0;

  constructor({ buffer, byteOffset, byteLength }: Uint8Array) {
    this.body = Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
  }

  get isAtEnd(): boolean {
    return this.at >= this.body.length;
  }

  int16(): number {
    this.at += 2;
    return this.body.readInt16BE(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.body.readInt32BE(this.at - 4);
  }

  /** Numbers of objects go to 2³². */
  oid(): number {
    return this.int32() >>> 0;
  }

  bytes(length: number): Buffer {
    if (length < 0 || this.at + length > this.body.length) throw new RangeError("a message is too short");
    this.at += length;
    return this.body.subarray(this.at - length, this.at);
  }

  rest(): Buffer {
    return this.bytes(this.body.length - this.at);
  }

  text(): string {
    const end = this.body.indexOf(0, this.at);
    if (end < 0) throw new RangeError("a text in a message does not end");
    const value = decoder.decode(this.body.subarray(this.at, end));
    this.at = end + 1;
    return value;
  }
}

/** RowDescription. */
export function readFields(body: Uint8Array): Field[] {
  const reader = new BodyReader(body);
  return Array.from({ length: reader.int16() }, () => {
    const name = reader.text();
    const table = reader.oid();
    const attribute = reader.int16();
    const type = reader.oid();
    reader.int16();
    const modifier = reader.int32();
    reader.int16();
    return { name, table, attribute, type, modifier };
  });
}

/** DataRow. */
export function readRow(body: Uint8Array): (string | null)[] {
  const reader = new BodyReader(body);
  return Array.from({ length: reader.int16() }, () => {
    const length = reader.int32();
    return length < 0 ? null : decoder.decode(reader.bytes(length));
  });
}

/** ErrorResponse, as it came. */
export function readError(body: Uint8Array): PostgresError {
  const reader = new BodyReader(body);
  const fields = new Map<string, string>();
  for (let kind = reader.bytes(1); kind[0] !== 0 && !reader.isAtEnd; kind = reader.bytes(1))
    fields.set(kind.toString("latin1"), reader.text());
  return new PostgresError(
    fields.get("C") ?? "XX000",
    fields.get("M") ?? "unknown error",
    fields.get("W") ?? null,
  );
}

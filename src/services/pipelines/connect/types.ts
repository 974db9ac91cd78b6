/**
 * The small common type system that every system's types are mapped to and from, and the one form that rows travel in.
 *
 * Rows travel as PostgreSQL's COPY text format: a line a row, columns apart by TAB, NULL as `\N`, and in values `\\`, `\b`, `\f`, `\n`, `\r`, `\t`, `\v` for
 * backslash and control characters; UTF-8. ClickHouse's TabSeparated is the same. Values are written so:
 *
 * | type | text |
 * |---|---|
 * | boolean | `1`, `0` |
 * | int16, int32, int64, decimal | digits, `.` before the fraction; `NaN` |
 * | float32, float64 | shortest digits that read back the same; `NaN`, `Infinity`, `-Infinity` |
 * | text, uuid | itself |
 * | json | its text |
 * | date | `2025-01-31` |
 * | time | `23:59:59.123456`, the fraction only where there is one |
 * | timestamp | `2025-01-31 23:59:59.123456`, the fraction only where there is one; of a zoned one in UTC |
 * | bytes | `\x` and lower-case hexadecimal |
 * | array | a JSON array of the elements: numbers and booleans as JSON's own, everything else as strings, NULL as null |
 */

export type CommonType =
  | { kind: "boolean" | "int16" | "int32" | "int64" | "float32" | "float64" }
  /** `precision` null: any number of digits. */
  | { kind: "decimal"; precision: number | null; scale: number }
  | { kind: "text" | "uuid" | "json" | "bytes" | "date" | "time" }
  | { kind: "timestamp"; zoned: boolean }
  | { kind: "array"; of: CommonType };

export interface Column {
  name: string;
  type: CommonType;
  nullable: boolean;
}

/** A column as a system's catalogue tells of it. */
export interface CatalogueColumn extends Column {
  /** As the system writes it, for example `numeric(10,2)`. */
  nativeType: string;
  primaryKey: boolean;
}

export interface TableSchema {
  columns: CatalogueColumn[];
  /** Null where the system does not tell. */
  rowCount: number | null;
  indexes: { name: string; columns: string[] }[];
}

/** Rows on their way, in chunks of about 1 MB that end anywhere. Not reading on holds the sender back; leaving the loop ends it. */
export interface RowStream {
  columns: Column[];
  chunks: AsyncIterable<Uint8Array>;
}

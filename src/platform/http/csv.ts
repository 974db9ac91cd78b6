/** CSV (RFC 4180) for spreadsheets: UTF-8 with a byte order mark, and nothing in it that a spreadsheet would run. */

/** What a file begins with, so that spreadsheets take it for UTF-8. */
export const byteOrderMark = "\ufeff";

/** A cell that begins like a formula is made a text. */
const harmless = (text: string): string => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);

function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text = harmless(typeof value === "string" ? value : JSON.stringify(value));
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** One line, its end included. */
export const csvLine = (values: readonly unknown[]): string => `${values.map(cell).join(",")}\r\n`;

/** Arrays as PostgreSQL writes them: text that takes it half the time to read that JSON does, and that is sent as one parameter. */

const special = /["\\]/g;

/** A text as an element of an array literal. */
export const quoted = (text: string): string => `"${text.replace(special, "\\$&")}"`;

/** An array literal of texts; null is NULL. */
export const textArray = (values: readonly (string | null)[]): string =>
  `{${values.map((value) => (value === null ? "NULL" : quoted(value))).join(",")}}`;

/** An array literal of numbers; null is NULL. */
export const numberArray = (values: readonly (number | null)[]): string =>
  `{${values.map((value) => value ?? "NULL").join(",")}}`;

/** Whether a text column can hold it: no NUL, no half of a surrogate pair. */
export const isStorable = (text: string): boolean => !text.includes("\0") && text.isWellFormed();

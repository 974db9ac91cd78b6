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

/** Escaped in JSON: what jsonb cannot hold. An even number of backslashes before the `u` is text that only looks like it. */
const unstorable = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/i;

/** Whether a jsonb column can hold it, given as JSON. */
export const isStorableJson = (json: string): boolean => !(json.includes("\\u") && unstorable.test(json));

/** Whether a text column can hold it: no NUL, no half of a surrogate pair. */
export const isStorable = (text: string): boolean => !text.includes("\0") && text.isWellFormed();

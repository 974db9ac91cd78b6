/** COPY's escapes (`connect/types.ts`) as SQL expressions. */

const backslash = "'\\'";
const escapes = [
  ["chr(8)", "b"],
  ["chr(9)", "t"],
  ["chr(11)", "v"],
  ["chr(12)", "f"],
  ["chr(13)", "r"],
] as const;

/**
 * COPY's escapes undone. No line feed can stand in escaped text, so it marks the escaped backslashes meanwhile; when every other escape is gone, a line feed and a
 * backslash change places.
 */
export function unescaped(text: string): string {
  let sql = `replace(${text}, '\\\\', chr(10))`;
  for (const [character, letter] of escapes) sql = `replace(${sql}, '\\${letter}', ${character})`;
  sql = `translate(replace(${sql}, '\\n', ${backslash}), '\\' || chr(10), chr(10) || '\\')`;
  return `CASE WHEN contains(${text}, ${backslash}) THEN ${sql} ELSE ${text} END`;
}

/** COPY's escapes made. */
export function escaped(text: string): string {
  let sql = `replace(${text}, ${backslash}, '\\\\')`;
  for (const [character, letter] of [...escapes, ["chr(10)", "n"] as const])
    sql = `replace(${sql}, ${character}, '\\${letter}')`;
  const any = [backslash, "chr(10)", ...escapes.map(([character]) => character)];
  const needed = any.map((character) => `contains(${text}, ${character})`).join(" OR ");
  return `CASE WHEN ${needed} THEN ${sql} ELSE ${text} END`;
}

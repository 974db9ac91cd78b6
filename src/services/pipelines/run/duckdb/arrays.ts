/** What reading and writing of arrays have in common. */

/** Kinds whose elements are JSON's own numbers and booleans in an array. */
export const numeric = new Set(["boolean", "int16", "int32", "int64", "float32", "float64", "decimal"]);

/** Applies an expression to the innermost elements of nested lists. */
export function mapped(list: string, depth: number, apply: (element: string) => string): string {
  const element = `e${depth}`;
  const inner = depth === 1 ? apply(element) : mapped(element, depth - 1, apply);
  return `list_transform(${list}, lambda ${element}: ${inner})`;
}

/** The pattern of LIKE that finds a text anywhere, its own `%`, `_` and `\\` taken as they are. */
export const containing = (text: string): string => `%${text.replace(/[\\%_]/g, "\\$&")}%`;

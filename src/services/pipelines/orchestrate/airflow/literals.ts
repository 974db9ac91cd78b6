/** Texts written into programs of other languages, whatever they hold. */

/** A Python string literal, in ASCII alone (Python language reference, 2.4.1). */
export function pythonText(text: string): string {
  const escaped = Array.from(text.toWellFormed(), (character) => {
    if (character === '"' || character === "\\") return `\\${character}`;
    if (character === "\n") return "\\n";
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0x20 && code < 0x7f) return character;
    if (code <= 0xff) return `\\x${code.toString(16).padStart(2, "0")}`;
    if (code <= 0xffff) return `\\u${code.toString(16).padStart(4, "0")}`;
    return `\\U${code.toString(16).padStart(8, "0")}`;
  });
  return `"${escaped.join("")}"`;
}

/** A word of a POSIX shell's command that stands in a Jinja template: neither sees anything in it. */
export const shellWord = (text: string): string =>
  `'${text.replaceAll("'", `'\\''`).replaceAll("{", "{{ '{' }}")}'`;

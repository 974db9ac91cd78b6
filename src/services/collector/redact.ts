/** Command lines without what should not leave the machine. */

const hidden = "***";

/** A name that says that what follows is secret. */
const secretName =
  "[\\w.-]*(?:passw(?:or)?d|passwd|pwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|auth)[\\w.-]*";

const rules: [RegExp, string][] = [
  // user:password@host in an address
  [/\b([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s@]+@/gi, `$1:${hidden}@`],
  // Authorization: Bearer x, Bearer x, Basic x
  [/\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi, `$1 ${hidden}`],
  // --password=x, PASSWORD=x, "token": "x", --token x
  [new RegExp(`(${secretName})(["']?\\s*[=:]\\s*)("[^"]*"|'[^']*'|[^\\s,;&]+)`, "gi"), `$1$2${hidden}`],
  [new RegExp(`(^|\\s)(--?${secretName})\\s+("[^"]*"|'[^']*'|[^\\s-]\\S*)`, "gi"), `$1$2 ${hidden}`],
  // the short form of mysql, sshpass and others: -pSECRET
  [/(^|\s)-p(?=\S*[^\d\s])(?!\S*[/=,:])\S{4,}/g, `$1-p${hidden}`],
];

/** `commandLine` with passwords, tokens and keys replaced by asterisks. Rather hides too much than too little. */
export function redactCommandLine(commandLine: string): string {
  return rules.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), commandLine);
}

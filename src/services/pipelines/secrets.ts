/** Secrets that stand in a configuration, wherever in it: they are kept apart, sealed, and shown to nobody. */
import type { ConnectorOptions } from "./connect/connector.ts";

type Fields = Record<string, unknown>;

const secretNames =
  /^(pass(word|wd|phrase)?|pwd|secret|client_?secret|token|api_?key|access_?key|secret_?key|private_?key|credentials?)$/i;
/** The user and password of a URL. */
const inUrl = /^([a-z][a-z0-9+.-]*:\/\/)[^/@\s]*:[^/@\s]*@/i;

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What may be shown of a value, and what of it is secret: an object of the same shape; undefined where nothing is. */
function split(value: unknown): { open: unknown; secret: unknown } {
  if (typeof value === "string" && inUrl.test(value))
    return { open: value.replace(inUrl, "$1"), secret: value };
  if (Array.isArray(value)) {
    const parts = value.map(split);
    const secrets = parts.flatMap(({ secret }, index) => (secret === undefined ? [] : [[index, secret]]));
    return {
      open: parts.map(({ open }) => open),
      secret: secrets.length === 0 ? undefined : Object.fromEntries(secrets),
    };
  }
  if (!isFields(value)) return { open: value, secret: undefined };
  const open: Fields = {};
  const secret: Fields = {};
  for (const [name, field] of Object.entries(value)) {
    if (secretNames.test(name)) {
      secret[name] = field;
      continue;
    }
    const parts = split(field);
    open[name] = parts.open;
    if (parts.secret !== undefined) secret[name] = parts.secret;
  }
  return { open, secret: Object.keys(secret).length === 0 ? undefined : secret };
}

/** A configuration without its secrets, and the secrets; null when it has none. */
export function withoutSecrets(config: Fields): { config: Fields; secrets: Fields | null } {
  const { open, secret } = split(config);
  return { config: open as Fields, secrets: isFields(secret) ? secret : null };
}

/** A configuration with its secrets again. What is in neither's place any more is left out. */
export function withSecrets(config: Fields, secrets: Fields): Fields {
  const whole: Fields = { ...config };
  for (const [name, secret] of Object.entries(secrets)) {
    const field = whole[name];
    if (!isFields(secret)) whole[name] = secret;
    else if (isFields(field)) whole[name] = withSecrets(field, secret);
    else if (Array.isArray(field)) whole[name] = Object.values(withSecrets({ ...field }, secret));
  }
  return whole;
}

/** Where what is secret of a configuration stands among the credentials. */
const ofConfig = "$config";

/** What is sealed: the credentials, and what is secret of the configuration; null when there is nothing. */
export function secretsOf(
  secrets: Record<string, unknown> | null,
  credentials: Record<string, unknown> | null,
): Record<string, unknown> | null {
  if (secrets === null) return credentials;
  return { ...credentials, [ofConfig]: secrets };
}

/** What a system is opened with. User and password may stand in the configuration as well. */
export function optionsOf(open: Record<string, unknown>, sealed: Record<string, unknown>): ConnectorOptions {
  const { [ofConfig]: secrets, ...credentials } = sealed;
  const config = withSecrets(open, (secrets as Record<string, unknown> | undefined) ?? {});
  const { username, user = username, password } = config;
  return {
    config,
    credentials: {
      ...(user === undefined ? {} : { username: user }),
      ...(password === undefined ? {} : { password }),
      ...credentials,
    },
  };
}

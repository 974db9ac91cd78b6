/** Where a configuration sends credentials. Who changes that must know them: else an editor could have them sent to a server of his own. */

type Fields = Record<string, unknown>;

const names = ["host", "port", "url", "secure", "ssl_mode", "ssl_root_cert"];

const isPartOf = ([name]: [string, unknown]): boolean => names.includes(name);

/** Whether credentials go the same way under both. */
export const isSameAddress = (one: Fields, other: Fields): boolean =>
  names.every((name) => (one[name] ?? null) === (other[name] ?? null));

/** A configuration without what says where credentials go. */
export const withoutAddress = (config: Fields): Fields =>
  Object.fromEntries(Object.entries(config).filter((field) => !isPartOf(field)));

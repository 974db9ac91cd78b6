/** Accounts as the document shows them. */
import type { Account } from "../../platform/identity/account.ts";

export const displayName = ({ fullName, username }: Pick<Account, "fullName" | "username">): string =>
  fullName ?? username;

/** Two roles are known here. */
export const roleOf = ({ role }: Pick<Account, "role">): "admin" | "user" =>
  role === "admin" ? "admin" : "user";

const time = (date: Date | null): string | null => date?.toISOString() ?? null;

/** As logins show a user. */
export const briefUser = (account: Account) => ({
  id: account.id,
  username: account.username,
  display_name: displayName(account),
  role: roleOf(account),
});

export const registeredUser = (account: Account) => ({
  ...briefUser(account),
  created_at: time(account.createdAt),
});

/** As a user sees himself. */
export const ownUser = (account: Account, isOnline: boolean) => ({
  ...registeredUser(account),
  last_login: time(account.lastLogin),
  is_online: isOnline,
});

/** As lists show a user. */
export const listedUser = (account: Account, isOnline: boolean) => ({
  ...briefUser(account),
  is_online: isOnline,
  last_seen: time(account.lastSeen),
});

export const oneUser = (account: Account, isOnline: boolean) => ({
  ...listedUser(account, isOnline),
  created_at: time(account.createdAt),
});

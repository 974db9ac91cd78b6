/** Accounts as the two documents show them. */
import type { z } from "zod";
import type { Account } from "../../platform/identity/account.ts";
import type { Grant } from "../../platform/identity/grants.ts";
import type * as schemas from "./schemas.ts";

/** As the pipelines document shows the user who asks. */
export const meOf = (account: Account): z.output<typeof schemas.me> => ({
  id: `user_${account.id}`,
  username: account.username,
  email: account.email,
  full_name: account.fullName,
  role: account.role,
  created_at: account.createdAt.toISOString(),
  last_login: account.lastLogin?.toISOString() ?? null,
});

/** As the accounts document lists them. */
export const userOf = (account: Account): z.output<typeof schemas.user> => ({
  id: account.id,
  email: account.email,
  username: account.username,
  full_name: account.fullName,
  is_active: account.isActive,
  is_superuser: account.role === "admin",
  role: account.role,
  created_at: account.createdAt.toISOString(),
  updated_at: account.updatedAt.toISOString(),
});

/** The answer to a registration: the user, and the token of the other document. */
export function registeredOf(account: Account, { accessToken }: Grant): z.output<typeof schemas.registered> {
  const { last_login: _, ...user } = meOf(account);
  return { ...user, access_token: accessToken, token_type: "bearer" };
}

export const tokensOf = ({
  accessToken,
  refreshToken,
  expiresIn,
}: Grant): z.output<typeof schemas.tokens> => ({
  access_token: accessToken,
  refresh_token: refreshToken ?? "",
  token_type: "bearer",
  expires_in: expiresIn,
});

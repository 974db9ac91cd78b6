/** Who may change what of an account. */
import { forbidden, invalid, notFound } from "../../platform/http/failures.ts";
import type { Account } from "../../platform/identity/account.ts";
import type { AccountChanges } from "../../platform/identity/accounts.ts";
import type { Role } from "../../platform/identity/roles.ts";
import type { Changes } from "./schemas.ts";

const notAllowed = () => forbidden("Not enough permissions");

/** The number of an account that a path names as `1` or `user_1`. Fails with `notFound`. */
export function accountId(text: string): number {
  const digits = /^(?:user_)?(\d{1,9})$/.exec(text)?.[1];
  if (digits === undefined) throw notFound("Resource not found");
  return Number(digits);
}

/** Fails with `forbidden` unless it is the account's owner or an admin who acts. */
export function requireOwnerOrAdmin(actor: Account, id: number): void {
  if (actor.id !== id && actor.role !== "admin") throw notAllowed();
}

/** The role that `role` and `is_superuser` together ask for; undefined when it stays. */
function wantedRole({ role, is_superuser }: Changes, current: Role): Role | undefined {
  if (typeof is_superuser !== "boolean") return role ?? undefined;
  if (role && (role === "admin") !== is_superuser)
    throw invalid("role and is_superuser contradict each other");
  if (role) return role;
  if (is_superuser) return "admin";
  return current === "admin" ? "analyst" : undefined;
}

/**
 * What a request asks to change of `target`. Values that are as they were change nothing, so that a user may be sent back whole. Fails with
 * `forbidden` when it is not `actor`'s to change.
 */
export function permittedChanges(body: Changes, target: Account, actor: Account): AccountChanges {
  requireOwnerOrAdmin(actor, target.id);
  const asked = wantedRole(body, target.role);
  const role = asked === target.role ? undefined : asked;
  const isActive = body.is_active === target.isActive ? undefined : (body.is_active ?? undefined);
  if (role !== undefined && actor.id === target.id) throw notAllowed();
  if ((role !== undefined || isActive !== undefined) && actor.role !== "admin") throw notAllowed();
  return {
    username: body.username === target.username ? undefined : (body.username ?? undefined),
    email: body.email === target.email ? undefined : body.email,
    fullName: body.full_name === target.fullName ? undefined : body.full_name,
    password: body.password ?? undefined,
    role,
    isActive,
  };
}

/** An account as the rest of the product sees it. */
import type { Role } from "./roles.ts";
import type { AccountRow } from "./tables.ts";

export interface Account {
  id: number;
  username: string;
  email: string | null;
  fullName: string | null;
  role: Role;
  isActive: boolean;
  createdAt: Date;
  updatedAt: Date;
  lastLogin: Date | null;
  lastSeen: Date | null;
}

/** The row without what nobody may see. */
export function accountOf(row: AccountRow): Account {
  const { passwordHash: _hash, usernameKey: _name, emailKey: _email, deletedAt: _deleted, ...account } = row;
  return account;
}

/** By what names and addresses are unique: their case does not count. */
export const keyOf = (text: string): string => text.normalize("NFC").toLowerCase();

/** Roles, each of which may do whatever those before it may. */
export const roles = ["analyst", "engineer", "architect", "admin"] as const;

export type Role = (typeof roles)[number];

/** Whether `role` may do what `needed` may. */
export const isAtLeast = (role: Role, needed: Role): boolean => roles.indexOf(role) >= roles.indexOf(needed);

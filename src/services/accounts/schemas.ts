/** What comes in and goes out: `specs/accounts.md` and the accounts' part of `specs/pipelines.md`. */
import { z } from "zod";
import { roles } from "../../platform/identity/roles.ts";

const username = z
  .string()
  .min(1)
  .max(150)
  .regex(/^[^\p{C}\s](?:[^\p{C}]*[^\p{C}\s])?$/u, "string does not match regex")
  .describe("Unique, whatever its case");
const email = z.email().max(254);
const fullName = z.string().max(200);
/** Its rules are the server's policy; this bounds what is read. */
const password = z.string().min(1).max(1024);
const role = z.enum(roles);

export const registration = z.object({
  username,
  email: email.nullish(),
  password,
  full_name: fullName.nullish(),
});

export const credentials = z.object({
  username: z.string().min(1).max(1024),
  password: z.string().min(1).max(1024),
});

export const refreshRequest = z.object({ refresh_token: z.string().min(1).max(1024) });

/** The user as the pipelines document shows one. */
export const me = z.object({
  id: z.string().describe("`user_` and the number of the account"),
  username: z.string(),
  email: z.string().nullable(),
  full_name: z.string().nullable(),
  role,
  created_at: z.string(),
  last_login: z.string().nullable(),
});

export const registered = me
  .omit({ last_login: true })
  .extend({ access_token: z.string(), token_type: z.literal("bearer") });

export const tokens = z.object({
  access_token: z.string(),
  refresh_token: z.string(),
  token_type: z.literal("bearer"),
  expires_in: z.int().describe("Seconds"),
});

/** The user as the accounts document shows one. */
export const user = z.object({
  id: z.int(),
  email: z.string().nullable(),
  username: z.string(),
  full_name: z.string().nullable(),
  is_active: z.boolean(),
  is_superuser: z.boolean(),
  role,
  created_at: z.string(),
  updated_at: z.string(),
});

export const users = z.array(user);

const page = {
  skip: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
};

export const listQuery = z.object(page);

export const userPath = z.object({ user_id: z.string().catch("") });

export const changes = z.object({
  email: email.nullish(),
  username: username.nullish(),
  full_name: fullName.nullish(),
  password: password.nullish(),
  role: role.nullish().describe("For admins; never one's own"),
  is_active: z.boolean().nullish().describe("For admins"),
  is_superuser: z.boolean().nullish().describe("For admins: true is the role `admin`, false takes it away"),
});

export type Changes = z.output<typeof changes>;

export const deleted = z.object({ message: z.literal("User deleted successfully") });

export const auditTrail = z.array(
  z.object({
    at: z.string(),
    event: z.string(),
    actor_id: z.int().nullable(),
    username: z.string().nullable(),
    address: z.string().nullable(),
    details: z.record(z.string(), z.unknown()).nullable(),
  }),
);

/** A failure in the shapes of both documents at once. */
export const failure = z.object({
  detail: z.union([
    z.string(),
    z.array(
      z.object({
        loc: z.array(z.union([z.string(), z.int()])),
        msg: z.string(),
        type: z.string(),
        ctx: z.record(z.string(), z.unknown()).optional(),
      }),
    ),
  ]),
  error: z.object({
    code: z.string(),
    message: z.string(),
    details: z.record(z.string(), z.unknown()),
    request_id: z.string(),
  }),
});

/** What comes in and goes out: `specs/messenger.md`. */
import { z } from "zod";
import { isStorable } from "../../platform/database/array-literal.ts";
import { microsOf } from "./messages/message.ts";
import { sortFields } from "./users.ts";

const storable = (text: string) => isStorable(text);
const bad = "недопустимые символы";
const largestId = 2_147_483_647;

/** A whole number in a path or query: digits alone. */
const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, "ожидается целое число")
    .transform(Number)
    .pipe(z.number().min(least).max(most));

const id = whole(1, largestId);
const messageId = whole(1, Number.MAX_SAFE_INTEGER);

const displayName = z.string().trim().min(1).max(100).refine(storable, bad);
/** Its rules have a code of their own; this bounds what is read. */
const password = z.string().max(1024);

export const registration = z.object({
  username: z
    .string()
    .min(3)
    .max(50)
    .regex(/^[^\p{C}\s](?:[^\p{C}]*[^\p{C}\s])?$/u, bad),
  password,
  display_name: displayName.nullish(),
});

export const credentials = z.object({
  username: z.string().min(1).max(1024),
  password: z.string().min(1).max(1024),
});

export const profile = z.object({ display_name: displayName.nullish(), password: password.nullish() });

/** A yes or no in a query. */
const flag = z
  .string()
  .toLowerCase()
  .pipe(z.enum(["true", "false", "1", "0", "yes", "no", "on", "off"]))
  .transform((text) => ["true", "1", "yes", "on"].includes(text));

const time = z.string().transform((text, context) => {
  const micros = microsOf(text);
  if (micros === null) context.addIssue({ code: "custom", message: "некорректная дата, ожидается ISO 8601" });
  return micros ?? 0;
});

const search = z.string().max(200).refine(storable, bad);
const paging = (size: number) => ({
  page: whole(1, 1_000_000).prefault("1"),
  size: whole(1, 100).prefault(String(size)),
});
const sorting = (field: (typeof sortFields)[number], order: "asc" | "desc") => ({
  sort_by: z.enum(sortFields).default(field),
  sort_order: z.enum(["asc", "desc"]).default(order),
});

export const userList = z.object({
  online_only: flag.prefault("false"),
  search: search.optional(),
  ...paging(50),
  ...sorting("id", "asc"),
});

export const userPath = z.object({ user_id: z.string() });

export const newMessage = z
  .object({
    receiver_id: z.int().min(1).max(largestId),
    content: z.string().min(1),
    message_type: z.enum(["text", "image"]),
    file_name: z.string().min(1).max(255).refine(storable, bad).nullish(),
    file_size: z.int().min(0).max(largestId).nullish(),
    client_message_id: z.string().min(1).max(128).refine(storable, bad).nullish(),
  })
  .superRefine(({ message_type, content, file_name, file_size }, context) => {
    const issue = (field: string, message: string) =>
      context.addIssue({ code: "custom", path: [field], message });
    if (message_type === "text") {
      if (content.length > 10_000 && [...content].length > 10_000)
        issue("content", "не длиннее 10000 символов");
      else if (content.trim() === "") issue("content", "не может быть пустым");
      else if (!isStorable(content)) issue("content", bad);
      return;
    }
    if (file_name === undefined || file_name === null) issue("file_name", "обязательное поле");
    if (file_size === undefined || file_size === null) issue("file_size", "обязательное поле");
  });

export const messagePath = z.object({ message_id: messageId });

const inline = z.enum(["inline", "url"]).default("inline").describe("`url`: images by their address alone");

export const conversationQuery = z.object({
  limit: whole(1, 500).prefault("100"),
  before: time.optional(),
  after: time.optional(),
  images: inline,
});

export const searchQuery = z.object({
  q: search.min(1),
  user_id: id.optional(),
  before: messageId.optional().describe("The last message of the page before"),
  limit: whole(1, 100).prefault("50"),
});

export const conversationsQuery = z.object(paging(20));

export const markRead = z.object({ sender_id: z.int().min(1).max(largestId) });

export const imageQuery = z.object({
  expires: whole(0, Number.MAX_SAFE_INTEGER).optional(),
  signature: z.string().max(100).optional(),
});

export const adminUsers = z.object({
  include_inactive: flag.prefault("false"),
  search: search.optional(),
  ...paging(50),
  ...sorting("created_at", "desc"),
});

const dates = { date_from: time.optional(), date_to: time.optional() };

export const adminMessages = z.object({
  user_id: id.optional(),
  type: z.enum(["text", "image"]).optional(),
  ...dates,
  ...paging(50),
  sort_by: z.enum(["id", "timestamp"]).default("timestamp"),
  sort_order: z.enum(["asc", "desc"]).default("desc"),
});

export const exportPath = z.object({ data_type: z.enum(["users", "messages", "all"]) });

export const exportQuery = z.object({ format: z.enum(["json", "csv"]).default("json"), ...dates });

const user = z.object({
  id: z.int(),
  username: z.string(),
  display_name: z.string(),
  role: z.enum(["user", "admin"]),
});

const pagination = z.object({
  page: z.int(),
  size: z.int(),
  total: z.int(),
  pages: z.int(),
  has_next: z.boolean(),
  has_prev: z.boolean(),
});

const success = { success: z.literal(true) };
const message = z.string();

export const registered = z.object({
  ...success,
  data: user.extend({ created_at: z.string().nullable() }),
  message,
});

export const loggedIn = z.object({
  ...success,
  data: z.object({
    access_token: z.string(),
    token_type: z.literal("bearer"),
    expires_in: z.int().describe("Seconds"),
    user,
  }),
  message,
});

export const done = z.object({ ...success, message });

/** Answers that one function makes each: described, not checked. */
export const data = z.object({ ...success, data: z.any(), message: z.string().optional() });
export const list = z.object({ ...success, data: z.array(z.any()), pagination: pagination.optional() });

/** A failure as the document shows one. */
export const failure = z.object({
  success: z.literal(false),
  error: z.object({ code: z.string(), message: z.string(), details: z.string() }),
  timestamp: z.string(),
});

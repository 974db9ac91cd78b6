/** `/messages`: chapter 6 of the document, and what users of messengers expect beside it. */
import { Elysia } from "elysia";
import { wrongMethod } from "../../../platform/http/wrong-method.ts";
import { accountFailure, failure } from "../envelope.ts";
import { MessageAnswers } from "../messages/answers.ts";
import { readImage } from "../messages/images.ts";
import type { Draft } from "../messages/store.ts";
import { pageOf, paginationOf } from "../paging.ts";
import * as schemas from "../schemas.ts";
import { accountIdOf, guarded, type MessengerParts, members, tags } from "./parts.ts";

const success = true as const;

export function messageRoutes(parts: MessengerParts) {
  const { sql, identity, presence, history, messages, links } = parts;
  const answers = new MessageAnswers(sql, links);

  const hidden = { detail: { hide: true } };
  const named = new Elysia({ prefix: "/messages" })
    .get("/mark-read", wrongMethod, hidden)
    .delete("/mark-read", wrongMethod, hidden)
    .delete("/search", wrongMethod, hidden)
    .delete("/unread", wrongMethod, hidden)
    .delete("/conversations", wrongMethod, hidden);

  const own = new Elysia({ prefix: "/messages", tags })
    .use(members(parts))
    .post(
      "/",
      async ({ body, caller, status }) => {
        const { file_name, file_size, content } = body;
        const draft: Draft = {
          sender: caller.account.id,
          receiver: body.receiver_id,
          sessionId: caller.sessionId,
          clientId: body.client_message_id ?? null,
          body:
            body.message_type === "text"
              ? { text: content }
              : { image: await readImage(content), fileName: file_name ?? "", fileSize: file_size ?? 0 },
        };
        const { message, isNew } = await messages.send(draft);
        const isImage = message.type === "image";
        const view = isImage && isNew ? { ...answers.brief(message), content } : await answers.whole(message);
        return status(isNew ? 201 : 200, { success, data: view, message: "Сообщение отправлено" });
      },
      {
        body: schemas.newMessage,
        response: {
          200: schemas.data,
          201: schemas.data,
          404: schemas.failure,
          413: schemas.failure,
          ...guarded,
        },
        detail: {
          summary: "Send a message",
          description:
            "Answered once it is stored. Under the same `client_message_id` a second request of the sender answers the first one's message with 200 and sends nothing.",
        },
      },
    )
    .get(
      "/conversation/:user_id",
      async ({ params, query, caller }) => {
        const { limit, before = null, after = null, images } = query;
        const other = accountIdOf(params.user_id);
        const rows = await history.conversation(caller.account.id, other, { limit, before, after });
        return answers.list(rows, images);
      },
      {
        params: schemas.userPath,
        query: schemas.conversationQuery,
        response: { 200: schemas.list, 404: schemas.failure, ...guarded },
        detail: {
          summary: "What was said with a user",
          description: "Oldest first: the newest ones before a time, or those that follow `after`.",
        },
      },
    )
    .get(
      "/conversations",
      async ({ query, caller }) => {
        const page = pageOf(query);
        const { rows, total } = await history.conversations(caller.account.id, page);
        const data = rows.map((row) => ({
          user: {
            id: row.other_id,
            username: row.other_username,
            display_name: row.other_name ?? row.other_username,
            is_online: presence.isOnline(row.other_id),
          },
          last_message: answers.brief(row),
          unread_count: row.unread,
        }));
        return { success, data, pagination: paginationOf(page, total) };
      },
      {
        query: schemas.conversationsQuery,
        response: { 200: schemas.list, ...guarded },
        detail: {
          summary: "With whom I talk",
          description: "The last message and the number of unread ones.",
        },
      },
    )
    .get(
      "/unread",
      async ({ caller }) => {
        const unread = await history.unread(caller.account.id);
        return {
          success,
          data: {
            total: unread.reduce((sum, { count }) => sum + count, 0),
            conversations: unread.map(({ userId, count, lastMessageId }) => ({
              user_id: userId,
              unread_count: count,
              last_message_id: lastMessageId,
            })),
          },
        };
      },
      { response: { 200: schemas.data, ...guarded }, detail: { summary: "What I have not read" } },
    )
    .get(
      "/search",
      async ({ query: { q, user_id, before, limit }, caller }) => {
        const given = { q, userId: user_id ?? null, before: before ?? null, limit };
        const rows = await history.search(caller.account.id, given);
        return { success, data: rows.map((row) => answers.brief(row)) };
      },
      {
        query: schemas.searchQuery,
        response: { 200: schemas.list, ...guarded },
        detail: { summary: "Search in my messages", description: "Newest first." },
      },
    )
    .post(
      "/mark-read",
      async ({ body: { sender_id }, caller }) => {
        const marked_count = await messages.markRead(caller.account.id, sender_id);
        // A sender who is gone may have left messages to be read.
        if (marked_count === 0)
          await identity.accounts.find(sender_id).catch((error: unknown) => {
            throw accountFailure(error);
          });
        return { success, data: { marked_count }, message: "Сообщения отмечены как прочитанные" };
      },
      {
        body: schemas.markRead,
        response: { 200: schemas.data, 404: schemas.failure, ...guarded },
        detail: { summary: "Mark a user's messages as read" },
      },
    )
    .get(
      "/:message_id",
      async ({ params, caller }) => {
        const row = await history.find(caller.account.id, params.message_id);
        if (!row) throw failure("MSG_001");
        return { success, data: await answers.whole(row) };
      },
      {
        params: schemas.messagePath,
        response: { 200: schemas.data, 404: schemas.failure, ...guarded },
        detail: { summary: "One message" },
      },
    )
    .delete(
      "/:message_id",
      async ({ params, caller }) => {
        await messages.remove(caller.account.id, params.message_id);
        return { success, message: "Сообщение удалено" };
      },
      {
        params: schemas.messagePath,
        response: { 200: schemas.done, 403: schemas.failure, 404: schemas.failure, ...guarded },
        detail: { summary: "Delete one of my messages", description: "It is hidden from both." },
      },
    );

  return new Elysia().use(named).use(own);
}

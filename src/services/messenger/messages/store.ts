/**
 * Storing messages, many in one statement. The members' inboxes are locked first, in the order of their ids; whoever holds them gives out message ids, times and
 * numbers. So what an account is told is numbered without a gap, in the order of commits, and times never repeat or go back.
 */
import type { Sql } from "postgres";
import { numberArray, textArray } from "../../../platform/database/array-literal.ts";
import type { Queries } from "../../../platform/database/connect.ts";
import type { Failure } from "../../../platform/http/failures.ts";
import { failure } from "../envelope.ts";
import type { Image } from "./images.ts";
import { type Members, pairOf } from "./members.ts";
import { type MessageRow, messageColumns } from "./message.ts";

/** A message that somebody wants to send. */
export interface Draft {
  sender: number;
  receiver: number;
  sessionId: string;
  clientId: string | null;
  /** Text, or an image with its name and size. */
  body: { text: string } | { image: Image; fileName: string; fileSize: number };
}

/** That an account is to be told of something, by its number there. */
export interface Told {
  accountId: number;
  seq: number;
}

/** A message that is stored; `told` is empty when it was so already, under the sender's own name for it. */
export interface Stored {
  message: MessageRow;
  told: Told[];
}

interface Placed extends Draft {
  conversation: number;
  /** Its place in the batch. */
  index: number;
}

const imageOf = ({ body }: Draft) => ("image" in body ? body : null);

/** Stores a batch; answers for each draft what became of it, in its place. */
export async function storeMessages(
  sql: Sql,
  members: Members,
  drafts: readonly Draft[],
): Promise<(Stored | Failure)[]> {
  await members.ensure(drafts.map(({ sender, receiver }) => pairOf(sender, receiver)));
  const placed = drafts.flatMap((draft, index): Placed[] => {
    const conversation = members.conversationOf(pairOf(draft.sender, draft.receiver));
    return conversation === null ? [] : [{ ...draft, conversation, index }];
  });
  const hasImages = placed.some((draft) => imageOf(draft) !== null);
  const stored = hasImages
    ? await sql.begin((tx) => insertWithImages(tx, placed))
    : placed.length > 0
      ? await insert(sql, placed)
      : new Map<number, Stored>();
  return await Promise.all(
    drafts.map(async (draft, index) => {
      const result = stored.get(index) ?? (draft.clientId === null ? null : await existing(sql, draft));
      return result ?? failure("MSG_002");
    }),
  );
}

async function insertWithImages(tx: Queries, drafts: readonly Placed[]): Promise<Map<number, Stored>> {
  const stored = await insert(tx, drafts);
  for (const draft of drafts) {
    const image = imageOf(draft)?.image;
    const id = stored.get(draft.index)?.message.id;
    if (image && id !== undefined)
      await tx`insert into messenger.images (message_id, media_type, prefix, bytes, encoded)
        values (${id}, ${image.mediaType}, ${image.prefix}, ${image.bytes}, ${image.encoded})`;
  }
  return stored;
}

/**
 * Inserts what is new, with its deliveries, in one statement. By the draft's place in the batch; what was there already, and what is for an account that is not active, is
 * missing. Everything that is given out hangs on `base`, and so comes after the locks.
 */
async function insert(sql: Queries, drafts: readonly Placed[]): Promise<Map<number, Stored>> {
  const numbers = (of: (draft: Placed) => number | null) => numberArray(drafts.map(of));
  const texts = (of: (draft: Placed) => string | null) => textArray(drafts.map(of));
  const accounts = [...new Set(drafts.flatMap(({ sender, receiver }) => [sender, receiver]))];
  const rows = await sql`with locked as materialized (
      select i.account_id, i.last_at from messenger.inboxes i join identity.accounts a on a.id = i.account_id
      where i.account_id = any(${numberArray(accounts)}::text::int[]) and a.is_active order by i.account_id for update of i),
    base as materialized (
      select greatest(clock_timestamp(), max(last_at) + interval '1 microsecond') as at from locked),
    given as (
      select * from unnest(
        ${numbers(({ conversation }) => conversation)}::text::bigint[], ${numbers(({ sender }) => sender)}::text::int[],
        ${numbers(({ receiver }) => receiver)}::text::int[], ${texts((draft) => (imageOf(draft) ? "image" : "text"))}::text::text[],
        ${texts(({ body }) => ("text" in body ? body.text : ""))}::text::text[],
        ${texts((draft) => imageOf(draft)?.fileName ?? null)}::text::text[],
        ${numbers((draft) => imageOf(draft)?.fileSize ?? null)}::text::int[],
        ${texts(({ clientId }) => clientId)}::text::text[], ${texts(({ sessionId }) => sessionId)}::text::uuid[]
      ) with ordinality as g(conversation, sender, receiver, type, content, file_name, file_size, client_id, session_id, place)),
    stored as (
      insert into messenger.messages (conversation_id, sender_id, receiver_id, type, content, file_name, file_size, at, client_id, session_id)
      select conversation, sender, receiver, type, content, file_name, file_size,
        base.at + (place - 1) * interval '1 microsecond', client_id, session_id
      from given cross join base where receiver in (select account_id from locked)
      order by place on conflict (sender_id, client_id) where client_id is not null do nothing
      returning id, sender_id, receiver_id, at),
    told as (
      select receiver_id as account_id, id from stored
      union all select sender_id, id from stored where sender_id <> receiver_id),
    numbered as (
      update messenger.inboxes i set last_seq = i.last_seq + t.count,
        last_at = base.at + ${drafts.length}::int * interval '1 microsecond'
      from (select account_id, count(*) from told group by 1) t cross join base where i.account_id = t.account_id
      returning i.account_id, i.last_seq - t.count as before),
    delivered as (
      insert into messenger.deliveries (account_id, seq, kind, message_id)
      select account_id, before + row_number() over (partition by account_id order by id), 1, id
      from told join numbered using (account_id) returning account_id, seq, message_id)
    select account_id, seq::float8 as seq, message_id::float8 as id, (extract(epoch from stored.at) * 1000000)::float8 as at,
      (extract(epoch from stored.at - base.at) * 1000000)::float8 as place
    from delivered join stored on id = message_id cross join base`;
  const stored = new Map<number, Stored>();
  for (const { account_id, seq, id, at, place } of rows) {
    const draft = drafts[Math.round(Number(place))];
    if (!draft) throw new Error("a message was stored that nobody sent");
    const known = stored.get(draft.index) ?? { message: rowOf(draft, Number(id), Number(at)), told: [] };
    known.told.push({ accountId: Number(account_id), seq: Number(seq) });
    stored.set(draft.index, known);
  }
  return stored;
}

const rowOf = (draft: Placed, id: number, at: number): MessageRow => {
  const image = imageOf(draft);
  return {
    id,
    sender_id: draft.sender,
    receiver_id: draft.receiver,
    type: image ? "image" : "text",
    content: "text" in draft.body ? draft.body.text : "",
    file_name: image?.fileName ?? null,
    file_size: image?.fileSize ?? null,
    at: Math.round(at),
    read_at: null,
    client_id: draft.clientId,
  };
};

/** The message that the sender sent before under the same name. */
async function existing(sql: Queries, { sender, clientId }: Draft): Promise<Stored | null> {
  const [message] = await sql<MessageRow[]>`select ${messageColumns(sql)} from messenger.messages m
    where sender_id = ${sender} and client_id = ${clientId}`;
  return message ? { message, told: [] } : null;
}

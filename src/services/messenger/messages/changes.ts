/** What happens to messages after they were sent: they are read, or deleted. Whom it concerns is told in the same transaction. */
import type { Sql } from "postgres";
import type { Queries } from "../../../platform/database/connect.ts";
import { failure } from "../envelope.ts";
import { kinds, type Reading } from "../live/events.ts";
import type { Told } from "./store.ts";

/** Locks inboxes in the order of their ids, as everybody does who numbers deliveries. */
const lock = (tx: Queries, ids: number[]) =>
  tx`select from messenger.inboxes where account_id = any(${ids}::int[]) order by account_id for update`;

async function deliver(
  tx: Queries,
  accountIds: number[],
  kind: number,
  messageId: number,
  details: object,
): Promise<Told[]> {
  const rows = await tx`with numbered as (
      update messenger.inboxes set last_seq = last_seq + 1 where account_id = any(${accountIds}::int[])
      returning account_id, last_seq)
    insert into messenger.deliveries (account_id, seq, kind, message_id, details)
    select account_id, last_seq, ${kind}, ${messageId}, ${JSON.stringify(details)}::text::jsonb from numbered
    returning account_id, seq::float8 as seq`;
  return rows.map((row) => ({ accountId: Number(row.account_id), seq: Number(row.seq) }));
}

/** Marks all messages of `sender` to `reader` as read; null when there were none. */
export async function markRead(
  sql: Sql,
  reader: number,
  sender: number,
): Promise<{ reading: Reading; told: Told[] } | null> {
  return await sql.begin(async (tx) => {
    await lock(tx, [sender]);
    const [row] = await tx`with read as (
        update messenger.messages set read_at = clock_timestamp()
        where receiver_id = ${reader} and sender_id = ${sender} and read_at is null and deleted_at is null
        returning id, read_at)
      select count(*)::int as count, max(id)::float8 as last, (extract(epoch from max(read_at)) * 1000000)::float8 as at from read`;
    if (!row || Number(row.count) === 0) return null;
    const reading = { reader, lastMessageId: Number(row.last), count: Number(row.count), at: Number(row.at) };
    const details = { count: reading.count, at: reading.at };
    return { reading, told: await deliver(tx, [sender], kinds.reading, reading.lastMessageId, details) };
  });
}

/** Hides one's own message from both; the row stays. Fails with `MSG_001`, `MSG_003`. */
export async function deleteMessage(sql: Sql, sender: number, messageId: number): Promise<Told[]> {
  return await sql.begin(async (tx) => {
    const [found] = await tx`select sender_id, receiver_id from messenger.messages
      where id = ${messageId} and deleted_at is null`;
    if (!found) throw failure("MSG_001");
    if (Number(found.sender_id) !== sender) throw failure("MSG_003");
    const members = [...new Set([sender, Number(found.receiver_id)])];
    await lock(tx, members);
    const deleted = await tx`update messenger.messages set deleted_at = now()
      where id = ${messageId} and deleted_at is null`;
    if (deleted.count === 0) throw failure("MSG_001");
    return await deliver(tx, members, kinds.deletion, messageId, { by: sender });
  });
}

/** Messages as one part: stored first, then told to whoever is connected, here and on other servers. */
import type { Sql } from "postgres";
import { type Delivery, messageDeleted, messagesRead, newMessage } from "../live/events.ts";
import type { Hub } from "../live/hub.ts";
import type { Relay } from "../live/relay.ts";
import { deleteMessage, markRead } from "./changes.ts";
import { contentOf, type ImageLinks } from "./images.ts";
import type { Members } from "./members.ts";
import type { MessageRow } from "./message.ts";
import { SendQueue } from "./send-queue.ts";
import { type Draft, type Stored, storeMessages, type Told } from "./store.ts";

export interface MessagesOptions {
  sql: Sql;
  members: Members;
  links: ImageLinks;
  hub: Hub;
  relay: Relay;
}

export class Messages {
  private readonly options: MessagesOptions;
  private readonly queue: SendQueue;

  constructor(options: MessagesOptions) {
    const { sql, members } = options;
    this.options = options;
    this.queue = new SendQueue({
      store: (drafts) => storeMessages(sql, members, drafts),
      onStored: (batch) => {
        for (const { stored, draft } of batch) this.tellMessage(stored, draft);
      },
    });
  }

  /** Sends a message; resolves once it is stored. Fails with `MSG_002`. */
  async send(draft: Draft): Promise<{ message: MessageRow; isNew: boolean }> {
    const { message, told } = await this.queue.send(draft);
    return { message, isNew: told.length > 0 };
  }

  /** Marks what `sender` sent to `reader` as read; answers how many messages. */
  async markRead(reader: number, sender: number): Promise<number> {
    const done = await markRead(this.options.sql, reader, sender);
    if (!done) return 0;
    this.tell(done.told, messagesRead(done.reading));
    return done.reading.count;
  }

  /** Deletes one's own message. Fails with `MSG_001`, `MSG_003`. */
  async remove(sender: number, messageId: number): Promise<void> {
    this.tell(await deleteMessage(this.options.sql, sender, messageId), messageDeleted(messageId, sender));
  }

  private tellMessage({ message, told }: Stored, { sessionId, body }: Draft): void {
    if (told.length === 0) return;
    const content = "text" in body ? body.text : contentOf(body.image);
    const { sender_id, receiver_id } = message;
    const causedBy = (accountId: number) =>
      accountId === sender_id && sender_id !== receiver_id ? sessionId : null;
    this.tell(told, newMessage(message, content, this.options.links), causedBy);
  }

  private tell(told: readonly Told[], frame: string, causedBy?: (accountId: number) => string | null): void {
    for (const { accountId, seq } of told) {
      const delivery: Delivery = { seq, frame, causedBy: causedBy?.(accountId) ?? null };
      this.options.hub.offer(accountId, delivery);
    }
    this.options.relay.told(told);
  }
}

/**
 * Who came and who went, told to everybody. What happens within a moment goes out together: frames that are published in one turn of the event loop reach each
 * socket in one write.
 */
import type { Publisher } from "../../../platform/realtime/sockets.ts";
import { frameOf } from "./events.ts";

export interface Status {
  accountId: number;
  isOnline: boolean;
  /** Milliseconds since 1970. */
  at: number;
}

const channel = "messenger-status";
const flushMilliseconds = 25;

const statusFrame = ({ accountId, isOnline, at }: Status): string =>
  frameOf("user_status", {
    user_id: accountId,
    is_online: isOnline,
    last_seen: new Date(at).toISOString(),
  });

/** Who is told. */
export interface Listener {
  /** Whose it is: nobody is told of himself. Null before the login. */
  member: { accountId: number } | null;
  mention(frame: string): void;
  subscribe(channel: string): void;
}

export class Statuses {
  private readonly publisher: Publisher;
  private pending: Status[] = [];
  private newcomers: Listener[] = [];
  private timer: Timer | null = null;

  constructor(publisher: Publisher) {
    this.publisher = publisher;
  }

  tell(status: Status): void {
    this.pending.push(status);
    this.schedule();
  }

  /** Has a client told of everybody but itself, from what comes next on. */
  include(client: Listener): void {
    this.newcomers.push(client);
    this.schedule();
  }

  private schedule(): void {
    this.timer ??= setTimeout(() => this.flush(), flushMilliseconds);
  }

  private flush(): void {
    const { pending, newcomers } = this;
    this.timer = null;
    this.pending = [];
    this.newcomers = [];
    const frames = pending.map((status) => ({ accountId: status.accountId, frame: statusFrame(status) }));
    for (const { frame } of frames) this.publisher.publish(channel, frame);
    for (const client of newcomers) {
      const own = client.member?.accountId;
      for (const { accountId, frame } of frames) if (accountId !== own) client.mention(frame);
      client.subscribe(channel);
    }
  }
}

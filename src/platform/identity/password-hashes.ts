/**
 * Passwords as argon2id (RFC 9106) with OWASP's least parameters. A hash takes 20 MiB and tens of milliseconds of the pool that files are read
 * with: two at a time and a bounded queue keep the server answering during a storm of logins.
 */
import { unavailable } from "../http/failures.ts";

const options = { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 } as const;
/** How hashes with these parameters begin (PHC string format). */
const presentForm = `$argon2id$v=19$m=${options.memoryCost},t=${options.timeCost},p=1$`;
const mostAtOnce = 2;
const mostWaiting = 250;
const retrySeconds = 5;

/** What else belongs to a check of a password, done while no other takes its place: so many guesses at once do not get round a lock. */
export interface Turn {
  /** Asked before anything is computed; what it throws ends the attempt. */
  admit(): Promise<void>;
  /** Told what came of it, before the next one is admitted. */
  settle(isRight: boolean): Promise<void>;
}

export class PasswordHashes {
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  /** Verified against where there is no account, so that a wrong name takes as long as a wrong password. */
  private nobody: string | null = null;

  /** The hash of a password in PHC form. Fails with `unavailable` when too many wait. */
  async hash(password: string): Promise<string> {
    return await this.inTurn(() => Bun.password.hash(password, options));
  }

  /** Whether a password is that of a hash; null stands for nobody's, which takes as long and is never right. */
  async verify(password: string, hash: string | null, turn?: Turn): Promise<boolean> {
    return await this.inTurn(async () => {
      await turn?.admit();
      this.nobody ??= await Bun.password.hash(crypto.randomUUID(), options);
      const matches = await Bun.password.verify(password, hash ?? this.nobody);
      const isRight = matches && hash !== null;
      await turn?.settle(isRight);
      return isRight;
    });
  }

  /** Whether a hash was made with other parameters than hashes are made with today. */
  isOutdated(hash: string): boolean {
    return !hash.startsWith(presentForm);
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= mostAtOnce) {
      if (this.waiting.length >= mostWaiting)
        throw unavailable("Service temporarily unavailable", { retryAfter: retrySeconds });
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    } else this.running++;
    try {
      return await work();
    } finally {
      // The next in the queue takes over the place.
      const next = this.waiting.shift();
      if (next) next();
      else this.running--;
    }
  }
}

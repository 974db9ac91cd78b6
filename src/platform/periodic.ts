/** Work that is done again and again, one time after the other, and whose failures end nothing. */
export class Periodic {
  private readonly milliseconds: number;
  private readonly work: () => Promise<unknown>;
  private readonly onError: (error: unknown) => void;
  private timer: Timer | null = null;
  private working: Promise<void> | null = null;

  constructor(milliseconds: number, work: () => Promise<unknown>, onError: (error: unknown) => void) {
    this.milliseconds = milliseconds;
    this.work = work;
    this.onError = onError;
  }

  /** The first time is now. */
  start(): void {
    this.run();
    this.timer = setInterval(() => this.run(), this.milliseconds);
  }

  /** What is being done just now is finished. */
  async stop(): Promise<void> {
    if (this.timer) clearInterval(this.timer);
    await this.working;
  }

  private run(): void {
    this.working ??= this.work()
      .then(() => {}, this.onError)
      .finally(() => {
        this.working = null;
      });
  }
}

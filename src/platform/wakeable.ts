/** Work that is done while it is wanted, and never twice at once: whoever wakes it while it is at work has it look once more. */
export class Wakeable {
  private readonly work: () => Promise<void>;
  private working: Promise<void> | null = null;
  private isWanted = false;

  /** `work` catches what it throws. */
  constructor(work: () => Promise<void>) {
    this.work = work;
  }

  /** Says that there is something to do; returns at once. */
  wake(): void {
    this.isWanted = true;
    this.working ??= this.run();
  }

  /** Resolves when nothing is being done. */
  async settled(): Promise<void> {
    await this.working;
  }

  private async run(): Promise<void> {
    // `working` is set once this has been left for the first time, and only then may it be taken away again.
    await Promise.resolve();
    while (this.isWanted) {
      this.isWanted = false;
      await this.work();
    }
    // In the same turn as the last look: whoever wakes it after that begins anew.
    this.working = null;
  }
}

/** How long nobody is asked after a question that failed. */
const QUIET_MS = 3_000;

/** Asks an owner that may be away: after a failure nobody, for seconds, and then with one question first. */
export class Breaker {
  private quietUntil = 0;
  private isFailing = false;

  constructor(private readonly now: () => number) {}

  /** What the question finds; null when it fails, or is not asked. */
  async ask<T>(question: () => Promise<T>): Promise<T | null> {
    if (this.now() < this.quietUntil) return null;
    if (this.isFailing) this.quietUntil = this.now() + QUIET_MS;
    try {
      const found = await question();
      this.isFailing = false;
      this.quietUntil = 0;
      return found;
    } catch {
      this.isFailing = true;
      this.quietUntil = this.now() + QUIET_MS;
      return null;
    }
  }
}

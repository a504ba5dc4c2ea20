const seconds = (since: number) => `${((Date.now() - since) / 1000).toFixed(1)} s`;

/** Progress of things that start side by side: a line for each when it is there, and a sign of life while people wait. */
export class Progress {
  private readonly open = new Map<string, number>();
  private readonly startedAt = Date.now();
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly out: NodeJS.WriteStream = process.stderr) {
    this.timer = setInterval(() => this.signOfLife(), out.isTTY ? 500 : 10_000);
    this.timer.unref();
  }

  /** Runs `work` under `title`; prints one line with its seconds when it is done. */
  async track<T>(title: string, work: () => Promise<T>): Promise<T> {
    const since = Date.now();
    this.open.set(title, since);
    try {
      const result = await work();
      this.line(`  ${title.padEnd(28)} ${seconds(since)}`);
      return result;
    } catch (error) {
      this.line(`  ${title.padEnd(28)} failed after ${seconds(since)}`);
      throw error;
    } finally {
      this.open.delete(title);
    }
  }

  /** Prints a line of its own. */
  line(text: string): void {
    this.out.write(this.out.isTTY ? `\r\u001B[K${text}\n` : `${text}\n`);
  }

  private signOfLife(): void {
    if (this.open.size === 0) return;
    const text = `  … ${[...this.open.keys()].join(', ')} (${seconds(this.startedAt)})`;
    this.out.write(this.out.isTTY ? `\r\u001B[K${text.slice(0, (this.out.columns || 80) - 1)}` : `${text}\n`);
  }

  /** No sign of life after this. */
  end(): void {
    clearInterval(this.timer);
    if (this.out.isTTY) this.out.write('\r\u001B[K');
  }
}

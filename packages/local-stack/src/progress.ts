const seconds = (since: number) => `${((Date.now() - since) / 1000).toFixed(1)} s`;

/** Shows the progress of parallel starts: a line for each finished one, and a periodic line for those that still run. */
export class Progress {
  private readonly open = new Map<string, number>();
  private readonly startedAt = Date.now();
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly out: NodeJS.WriteStream = process.stderr) {
    this.timer = setInterval(() => this.showOpen(), out.isTTY ? 500 : 10_000);
    this.timer.unref();
  }

  /** Runs `work` and prints one line with `title` and its seconds at the end. */
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

  private showOpen(): void {
    if (this.open.size === 0) return;
    const text = `  … ${[...this.open.keys()].join(', ')} (${seconds(this.startedAt)})`;
    this.out.write(this.out.isTTY ? `\r\u001B[K${text.slice(0, (this.out.columns || 80) - 1)}` : `${text}\n`);
  }

  /** Stops the periodic line. */
  end(): void {
    clearInterval(this.timer);
    if (this.out.isTTY) this.out.write('\r\u001B[K');
  }
}

/** Takes long enough for two concurrent runs to overlap. Node runs this file directly and strips its types. */
export class AddNumbers1700000000000 {
  async up(runner: { query(sql: string): Promise<unknown> }): Promise<void> {
    await runner.query('CREATE TABLE orchestrator.numbers (n int)');
    await runner.query('INSERT INTO orchestrator.numbers SELECT 1 FROM pg_sleep(0.5)');
  }
  async down(): Promise<void> {}
}

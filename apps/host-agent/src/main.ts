import { startAgents } from './agent-process.js';
import { readConfig } from './config.js';

/** Longer than a drain takes; a supervisor waits longer still. */
const STOP_LIMIT_MS = 20_000;

async function main(): Promise<void> {
  const agents = await startAgents(readConfig());
  const stop = () => {
    setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref();
    void agents.stop().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

main().catch((error: unknown) => {
  process.stderr.write(`host-agent: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});

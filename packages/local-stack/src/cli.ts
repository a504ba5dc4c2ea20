import { Command, InvalidArgumentError, Option } from 'commander';
import { backup } from './backup/backup.js';
import { restore } from './backup/restore.js';
import { joinHost, type JoinOptions } from './commands/join-host.js';
import { leaveHost } from './commands/leave-host.js';
import { delayReplica, pauseReplica, promote, resumeReplica } from './commands/replica-commands.js';
import { logs, printEnv, reset, status, stop } from './commands/stack-commands.js';
import { start, type StartOptions } from './commands/start.js';
import { loadStackConfig, type StackConfig } from './config.js';
import { drivers } from './home/agents.js';
import { mostReplicas } from './home/topology.js';
import { StackError } from './stack-error.js';

function number(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError('must be a whole number');
  return value;
}

function delay(text: string): number | null {
  if (text === 'off') return null;
  const ms = Number(text);
  if (!Number.isInteger(ms) || ms < 0 || ms > 86_400_000)
    throw new InvalidArgumentError('must be milliseconds, up to a day, or off');
  return ms;
}

const config = (): StackConfig => loadStackConfig();

const cli = new Command('novacron-stack')
  .description('NovaCron on this machine: Postgres, Redis, NATS, the services and their hosts.')
  .addHelpText(
    'after',
    '\nState lies in NOVACRON_HOME (default .novacron); NOVACRON_PORT_OFFSET moves every port.',
  );

cli
  .command('start')
  .description('start everything and keep it alive until Ctrl-C')
  .option('--port <port>', 'port of the gateway (default: 8080, or NOVACRON_HTTP_PORT)', number)
  .option('--host <address>', 'address that the gateway listens on', '127.0.0.1')
  .option('--port-offset <n>', 'added to every port, to run two stacks side by side', number)
  .option('--sim-hosts <n>', 'simulated hosts of a new home', number, 20)
  .option('--replicas <n>', `streaming replicas of Postgres, at most ${mostReplicas}`, number, 1)
  .option('--no-replica', 'without a streaming replica')
  .option('--no-qemu', 'without this machine as a QEMU host')
  .addOption(new Option('--repository <dir>', 'where apps/ is; for tests').hideHelp())
  .action((options: StartOptions) => start(config(), options));

cli
  .command('status')
  .description('what runs (exit code 0: all of it, 1: something is down, 3: nothing)')
  .addOption(
    new Option('-o, --output <format>', 'how to print it').choices(['table', 'json']).default('table'),
  )
  .action(async (options: { output: string }) => {
    process.exitCode = await status(config(), options.output);
  });

cli
  .command('stop')
  .description('end everything, guests too')
  .action(() => stop(config()));

cli
  .command('logs')
  .description('the log of one component')
  .argument('<name>', 'as in `status`')
  .option('-f, --follow', 'go on until Ctrl-C', false)
  .option('-n, --lines <n>', 'how many lines', number, 100)
  .action((name: string, options: { follow: boolean; lines: number }) => logs(config(), name, options));

cli
  .command('env')
  .description('print addresses and tokens as shell exports')
  .action(() => printEnv(config()));

cli
  .command('reset')
  .description('end everything and remove ALL of its state')
  .action(() => reset(config()));

cli
  .command('backup')
  .description('write the database of the running stack to a file')
  .argument('<file>', 'a new file')
  .action((file: string) => backup(config(), file));

cli
  .command('restore')
  .description('make the database anew out of a backup; the stack must not run, and its old data are kept')
  .argument('<file>', 'what backup wrote')
  .action((file: string) => restore(config(), file));

const replica = cli.command('replica').description('make a replica late on purpose, to see what happens');

replica
  .command('delay')
  .description('let it show every commit that much later')
  .argument('<name>', 'for instance postgres-replica-1')
  .argument('<ms>', 'milliseconds, or off', delay)
  .action((name: string, ms: number | null) => delayReplica(config(), name, ms));

replica
  .command('pause')
  .description('let it show nothing new')
  .argument('<name>', 'for instance postgres-replica-1')
  .action((name: string) => pauseReplica(config(), name));

replica
  .command('resume')
  .description('let it catch up')
  .argument('<name>', 'for instance postgres-replica-1')
  .action((name: string) => resumeReplica(config(), name));

cli
  .command('promote')
  .description('make a replica the primary; the old primary ends for good')
  .argument('<name>', 'for instance postgres-replica-1')
  .action((name: string) => promote(config(), name));

function joinCommand(name: string): Command {
  return new Command(name)
    .description('let a host join: its NATS user, and an agent that runs it here')
    .argument('<name>', 'name of the host')
    .addOption(
      new Option('--driver <driver>', 'what runs its VMs').choices([...drivers]).default('simulated'),
    )
    .option('--zone <zone>', 'zone that it belongs to (default: sim, or local for qemu)')
    .option('--hosts <n>', 'simulated hosts in the one agent', number, 1)
    .option('--print', 'print what an agent on another machine needs', false)
    .action((host: string, options: Omit<JoinOptions, 'zone'> & { zone?: string }) =>
      joinHost(config(), host, {
        ...options,
        zone: options.zone ?? (options.driver === 'qemu' ? 'local' : 'sim'),
      }),
    );
}

cli.addCommand(joinCommand('add-host'));
cli.addCommand(
  new Command('host')
    .description('hosts of this stack')
    .addCommand(joinCommand('join'))
    .addCommand(
      new Command('leave')
        .description('take an empty host out for good: drain it first')
        .argument('<name>', 'name of the host, as it joined')
        .action((host: string) => leaveHost(config(), host)),
    ),
);

cli.parseAsync().catch((error: unknown) => {
  const text =
    error instanceof StackError ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`novacron: ${text}\n`);
  process.exitCode = 1;
});

// One line for each phase, with its seconds, on a terminal or not.
import { spawn } from 'node:child_process';

/** A failure that is told in one line: what failed and what to do. */
export class Failure extends Error {}

/** Runs `work`; prints `name … 1.2 s`, and a dot every five seconds so that a long phase shows life. */
export async function phase(name, work) {
  const start = Date.now();
  process.stderr.write(`${name} …`);
  const life = setInterval(() => process.stderr.write('.'), 5000);
  try {
    const result = await work();
    process.stderr.write(` ${((Date.now() - start) / 1000).toFixed(1)} s\n`);
    return result;
  } catch (error) {
    process.stderr.write(' failed\n');
    throw error;
  } finally {
    clearInterval(life);
  }
}

/** Runs a command quietly; when it fails, prints the end of its output and throws a Failure with `hint`. */
export function quietly(command, args, options, hint) {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    const stopListening = whenAskedToEnd((signal) => {
      child.kill(signal);
      process.exit(SIGNALS[signal]);
    });
    let output = '';
    const keep = (chunk) => (output = (output + chunk).slice(-20_000));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => failed(new Failure(`${command} did not start (${error.message}). ${hint}`)));
    child.on('close', (code, signal) => {
      stopListening();
      if (code === 0) return done(output);
      process.stderr.write(`\n${output.split('\n').slice(-40).join('\n')}\n`);
      failed(new Failure(`${[command, ...args].join(' ')} ended with ${signal ?? code}. ${hint}`));
    });
  });
}

/** Runs a command with `input`; {code, output} with both of its streams. It never throws. */
export function capture(command, args, { input = '', ...options } = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, options);
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.stdin.on('error', () => undefined); // The command ended without reading; its exit code says why.
    child.on('error', (error) => done({ code: 1, output: error.message }));
    child.on('close', (code) => done({ code: code ?? 1, output }));
    child.stdin.end(input);
  });
}

/** Runs the main function of a program and sets its exit code. A Failure is one line on stderr, other errors have a stack. */
export async function runMain(name, main) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${name}: ${error instanceof Failure ? error.message : (error.stack ?? error)}\n`);
    process.exitCode = 1;
  }
}

const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };
const PARENT_MS = 500;

/**
 * Calls `end` for each signal that asks us to end. npm runs us in a shell, and of a signal to npm's process alone
 * (a supervisor, a CI job) the shell may die without a word to us: then our parent is another, and that is SIGTERM.
 * @returns how to stop listening
 */
function whenAskedToEnd(end) {
  for (const signal of Object.keys(SIGNALS)) process.on(signal, end);
  const parent = process.ppid;
  const orphaned = () => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    end('SIGTERM');
  };
  // Whoever starts us without npm may leave us alone on purpose.
  const watch = process.env.npm_lifecycle_event === undefined ? undefined : setInterval(orphaned, PARENT_MS);
  return () => {
    clearInterval(watch);
    for (const signal of Object.keys(SIGNALS)) process.removeListener(signal, end);
  };
}

/** Runs a command in our place: its terminal, our signals, its exit code (128 + n for a signal). */
export function handOver(command, args, env) {
  const child = spawn(command, args, { stdio: 'inherit', env });
  const stopListening = whenAskedToEnd((signal) => child.kill(signal));
  return new Promise((done, failed) => {
    child.on('error', (error) => failed(new Failure(`${command} did not start: ${error.message}`)));
    child.on('close', (code, signal) => {
      stopListening();
      done(code ?? SIGNALS[signal] ?? 137);
    });
  });
}

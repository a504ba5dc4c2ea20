// Runs commands, and prints one line with the seconds of each phase.
import { spawn } from 'node:child_process';

/** A failure that is printed in one line: the error and the next step. */
export class Failure extends Error {}

/** Runs `work`; prints `name … 1.2 s`, and a dot every five seconds during a long phase. */
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
 * Calls `end` for each signal that should end this process. npm runs it in a shell. If a supervisor or a CI job sends a
 * signal only to npm, the shell may die without passing it on. The parent process then changes, which counts as SIGTERM.
 * @returns a function that stops listening
 */
function whenAskedToEnd(end) {
  for (const signal of Object.keys(SIGNALS)) process.on(signal, end);
  const parent = process.ppid;
  const orphaned = () => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    end('SIGTERM');
  };
  // A caller without npm may detach this process on purpose.
  const watch = process.env.npm_lifecycle_event === undefined ? undefined : setInterval(orphaned, PARENT_MS);
  return () => {
    clearInterval(watch);
    for (const signal of Object.keys(SIGNALS)) process.removeListener(signal, end);
  };
}

/** Runs a command in place of this process: it gets the terminal and the signals. Returns its exit code (128 + n for a signal). */
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

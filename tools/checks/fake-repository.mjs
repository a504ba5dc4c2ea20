// A repository of a few files in a temporary folder, in which a check must find an error.
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from '../toolchain.mjs';

export class FakeRepository {
  // The real path: a check that resolves links would otherwise see files outside of its folder.
  folder = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'novacron-checks-')));

  write(path, text) {
    const file = join(this.folder, path);
    fs.mkdirSync(dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
  }

  /** A built package of the workspace, `apps/x` or `packages/x`, with one module `thing`. */
  addPackage(place) {
    const name = `@novacron/${place.split('/')[1]}`;
    const exports = { './*': { types: './dist/*.d.ts', default: './dist/*.js' } };
    this.write(`${place}/package.json`, JSON.stringify({ name, type: 'module', exports }));
    this.write(`${place}/dist/thing.js`, 'export const thing = 1;\n');
    this.write(`${place}/dist/thing.d.ts`, 'export declare const thing = 1;\n');
    this.#link(`node_modules/${name}`, join(this.folder, place));
  }

  linkFromRoot(path) {
    this.#link(path, join(root, path));
  }

  #link(path, target) {
    const link = join(this.folder, path);
    fs.mkdirSync(dirname(link), { recursive: true });
    fs.symlinkSync(target, link);
  }

  copyFromRoot(path) {
    fs.copyFileSync(join(root, path), join(this.folder, path));
  }

  /** Runs a program of node_modules here and returns its output. */
  run(program, args) {
    const command = [join(root, 'node_modules', program), ...args];
    return spawnSync(process.execPath, command, { cwd: this.folder, encoding: 'utf8', timeout: 60_000 })
      .stdout;
  }

  /** Runs dependency-cruiser on `folders`; returns a function from a file to the rules that it violates. */
  violations(folders, flags = []) {
    const program = 'dependency-cruiser/bin/dependency-cruiser.mjs';
    const output = this.run(program, [...flags, '--output-type=json', ...folders]);
    const { violations } = JSON.parse(output).summary;
    return (file) => violations.filter(({ from }) => from === file).map(({ rule }) => rule.name);
  }

  remove() {
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

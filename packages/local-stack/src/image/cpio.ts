/** One entry of an initramfs. `mode` holds type and permissions, as in stat(2). */
export interface CpioEntry {
  readonly name: string;
  readonly mode: number;
  readonly data?: Buffer;
  /** character devices: major and minor number */
  readonly device?: readonly [number, number];
}

export const directory = (name: string): CpioEntry => ({ name, mode: 0o040755 });
export const program = (name: string, data: Buffer | string): CpioEntry => ({
  name,
  mode: 0o100755,
  data: Buffer.from(data),
});
export const symlink = (name: string, target: string): CpioEntry => ({
  name,
  mode: 0o120777,
  data: Buffer.from(target),
});
export const characterDevice = (name: string, major: number, minor: number): CpioEntry => ({
  name,
  mode: 0o020600,
  device: [major, minor],
});

const padding = (length: number) => Buffer.alloc((4 - (length % 4)) % 4);

function encode(entry: CpioEntry, inode: number): Buffer {
  const name = Buffer.from(`${entry.name}\0`);
  const data = entry.data ?? Buffer.alloc(0);
  const [major, minor] = entry.device ?? [0, 0];
  const fields = [inode, entry.mode, 0, 0, 1, 0, data.length, 0, 0, major, minor, name.length, 0];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return Buffer.concat([header, name, padding(header.length + name.length), data, padding(data.length)]);
}

/** An archive in the "newc" format of an initramfs. Written by our own code, because device nodes on disk need root. */
export function cpio(entries: readonly CpioEntry[]): Buffer {
  const all = [...entries, { name: 'TRAILER!!!', mode: 0 }];
  return Buffer.concat(all.map((entry, index) => encode(entry, index + 1)));
}

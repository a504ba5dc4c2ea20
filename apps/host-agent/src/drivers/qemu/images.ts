import { ImageName } from '@novacron/contracts/common';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DriverError } from '../driver.js';

/** image.json: how QEMU boots the image directly. File names are relative to its folder. */
const ImageFile = z.object({
  name: z.string(),
  kernel: z.string().default('vmlinuz'),
  initramfs: z.string().default('initramfs.gz'),
  cmdline: z.string().default('console=ttyS0'),
  /** A qcow2 that new disks are laid over; without it they are blank. */
  disk: z.string().optional(),
  /** Least memory of a guest, MiB. */
  minMemory: z.number().default(0),
});

/** An image with the paths of its files. */
export type QemuImage = z.infer<typeof ImageFile>;

/** The names of all images in the folder. An image has a readable image.json and a legal name. */
export async function listImages(folder: string): Promise<string[]> {
  const entries = await readdir(folder).catch(noneIfMissing);
  const images = await Promise.all(entries.map((name) => readImage(folder, name)));
  return images.filter((image) => image !== undefined).map((image) => image.name);
}

/** @throws DriverError `no_image`. */
export async function findImage(folder: string, name: string): Promise<QemuImage> {
  const image = await readImage(folder, name);
  if (!image) throw new DriverError('no_image', `this host has no image ${name}`, false);
  return image;
}

async function readImage(folder: string, name: string): Promise<QemuImage | undefined> {
  // It becomes part of a path, and of subjects where the host announces it.
  if (!ImageName.safeParse(name).success) return undefined;
  const home = join(folder, name);
  try {
    const image = ImageFile.parse(JSON.parse(await readFile(join(home, 'image.json'), 'utf8')));
    return {
      ...image,
      name,
      kernel: join(home, image.kernel),
      initramfs: join(home, image.initramfs),
      ...(image.disk === undefined ? {} : { disk: join(home, image.disk) }),
    };
  } catch {
    return undefined; // not an image, or an image that is being written
  }
}

function noneIfMissing(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}

import { Name } from '@novacron/contracts/common';
import { HostId } from '@novacron/contracts/ids';
import { Capacity } from '@novacron/contracts/infrastructure';
import { SubjectToken } from '@novacron/contracts/subject';
import { WrongFields } from '@novacron/contracts/validation';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';

/** A host of this process. Its NATS user may publish for this host only. */
export const HostEntry = z.object({
  hostId: HostId,
  name: Name,
  /** Part of the host's inbox subjects. */
  natsUser: SubjectToken,
  natsPassword: z.string().min(1),
  /** Replaces the driver's measurement. */
  capacity: Capacity.optional(),
  /** From `POST /hosts/invites`, for a host that is not on the operator's list. */
  joinToken: z.string().min(1).max(100).optional(),
  labels: z.record(z.string(), z.string()).default({}),
});
export type HostEntry = z.infer<typeof HostEntry>;

/** @throws Error that names the file and all its mistakes, and never a password */
export async function readHosts(path: string): Promise<HostEntry[]> {
  const hosts = z
    .array(HostEntry)
    .min(1)
    .safeParse(await readJson(path));
  if (!hosts.success) {
    const { named } = new WrongFields().add(hosts.error.issues);
    const mistakes = named.map((mistake) => `${mistake.path} ${mistake.message}`);
    throw new Error(`hosts file ${path}: ${mistakes.join('; ')}`);
  }
  const twice = hosts.data.find(
    (host, index) => hosts.data.findIndex((other) => other.hostId === host.hostId) < index,
  );
  if (twice) throw new Error(`hosts file ${path}: ${twice.hostId} is there twice`);
  return hosts.data;
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new Error(`hosts file ${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

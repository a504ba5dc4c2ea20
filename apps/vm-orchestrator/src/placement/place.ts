import { fnv1a } from '@novacron/async/hash';
import type { HostId } from '@novacron/contracts/ids';
import type { Placement } from '@novacron/contracts/vms';
import { FILTERS, SUITABLE } from './filters.js';
import { RESOURCES, type HostView, type Resource } from '../hosts/host-view.js';
import { type PlacementRequest } from './request.js';

/** `later`: capacity may become free. `never`: more than the total of any suitable host of the zone. */
export type Fits = 'now' | 'later' | 'never';

export interface PlacementDecision {
  readonly hostId: HostId | null;
  readonly fits: Fits;
  /** For the user: stored with the VM. */
  readonly explanation: Placement;
}

const { imul } = Math;

/** How much each resource counts when load is compared. */
const WEIGHTS: Record<Resource, number> = { cpu: 1, memory: 1, disk: 0.5 };
const WEIGHT_SUM = RESOURCES.reduce((sum, resource) => sum + WEIGHTS[resource], 0);
/** Stored with every VM: the best few are enough. */
const SCORES_KEPT = 10;

/**
 * Decides the host of a VM: of the hosts that pass every filter, the one with the least load after the placement.
 * Among equals the VM's id decides, so that VMs placed at the same time from the same view spread.
 * Pure: it reserves nothing. The tenant can read the explanation: hosts of other zones do not appear in it.
 */
export function place(request: PlacementRequest, all: readonly HostView[], now: Date): PlacementDecision {
  const hosts = all.filter(({ zone }) => zone === request.zone);
  const { passed, rejections } = filter(request, hosts);
  const ranked = rank(request, passed);
  const chosen = ranked[0];
  const fits = chosen ? 'now' : everFits(request, hosts) ? 'later' : 'never';
  return {
    hostId: chosen?.host.id ?? null,
    fits,
    explanation: {
      vmId: request.vmId,
      hostId: chosen?.host.id ?? null,
      decidedAt: now.toISOString(),
      candidates: hosts.length,
      rejections,
      scores: ranked.slice(0, SCORES_KEPT).map(({ host, score }) => ({ hostId: host.id, score })),
      summary: chosen
        ? chosenSummary(chosen.host, passed.length)
        : refusedSummary(request, fits, hosts, rejections),
    },
  };
}

type Rejection = Placement['rejections'][number];

function filter(request: PlacementRequest, hosts: readonly HostView[]) {
  const passed: HostView[] = [];
  const counts = new Map<string, Rejection>();
  for (const host of hosts) {
    const rejection = firstRejection(request, host);
    if (!rejection) {
      passed.push(host);
      continue;
    }
    const counted = counts.get(rejection.filter);
    if (counted) counted.hosts++;
    else counts.set(rejection.filter, rejection);
  }
  const rejections = FILTERS.flatMap(({ name }) => counts.get(name) ?? []);
  return { passed, rejections };
}

function firstRejection(request: PlacementRequest, host: HostView): Rejection | null {
  for (const { name, refuse } of FILTERS) {
    const example = refuse(host, request);
    if (example !== null) return { filter: name, hosts: 1, example };
  }
  return null;
}

interface Ranked {
  readonly host: HostView;
  /** The weighted free share of the host, 0 to 1: higher is better. */
  readonly score: number;
}

/** The chosen host and the next best ones. */
function rank(request: PlacementRequest, hosts: readonly HostView[]): Ranked[] {
  const scored = hosts
    .map((host) => ({ host, score: freeShare(request, host) }))
    .sort((a, b) => b.score - a.score);
  const chosen = pickAmongEquals(request, scored);
  return chosen ? [chosen, ...scored.slice(0, SCORES_KEPT).filter((other) => other !== chosen)] : [];
}

/** Rendezvous: the host whose id goes best with the VM's, whatever the order of the hosts. */
function pickAmongEquals(request: PlacementRequest, scored: readonly Ranked[]): Ranked | undefined {
  const seed = hash(request.vmId);
  let best: Ranked | undefined;
  let bestDraw = -1;
  for (const ranked of scored) {
    if (ranked.score !== scored[0]?.score) break;
    const draw = hash(ranked.host.id, seed);
    if (draw > bestDraw) [best, bestDraw] = [ranked, draw];
  }
  return best;
}

/** The weighted free share of the host after placement, rounded so that equal loads compare equal. */
function freeShare(request: PlacementRequest, host: HostView): number {
  let share = 0;
  for (const resource of RESOURCES) {
    const capacity = host.capacity[resource];
    if (capacity > 0)
      share += WEIGHTS[resource] * (1 - (host.allocated[resource] + request[resource]) / capacity);
  }
  return Math.round((share / WEIGHT_SUM) * 1e6) / 1e6;
}

/** A zone without a suitable host may get one later, so the VM waits. */
function everFits(request: PlacementRequest, hosts: readonly HostView[]): boolean {
  const suitable = suitableHosts(request, hosts);
  return (
    suitable.length === 0 ||
    suitable.some(({ capacity }) => RESOURCES.every((resource) => capacity[resource] >= request[resource]))
  );
}

function suitableHosts(request: PlacementRequest, hosts: readonly HostView[]): HostView[] {
  return hosts.filter((host) => SUITABLE.every(({ refuse }) => refuse(host, request) === null));
}

function chosenSummary(host: HostView, fitting: number): string {
  return fitting === 1
    ? `${host.name} is the only host that fits`
    : `${host.name} is the least loaded of ${fitting} hosts that fit`;
}

function refusedSummary(
  request: PlacementRequest,
  fits: Fits,
  hosts: readonly HostView[],
  rejections: readonly Rejection[],
): string {
  if (fits === 'never') {
    const suitable = suitableHosts(request, hosts);
    const largest = RESOURCES.map((resource) =>
      Math.max(...suitable.map(({ capacity }) => capacity[resource])),
    );
    return `no host of zone ${request.zone} is large enough: the largest have ${largest[0]} virtual CPUs, ${largest[1]} MiB of memory, ${largest[2]} GiB of disk`;
  }
  if (rejections.length === 0) return `zone ${request.zone} has no hosts`;
  return `no host of zone ${request.zone} fits now: ${rejections.map((r) => `${r.filter} refused ${r.hosts}`).join(', ')}`;
}

/** A 32-bit hash with a final mix: far apart for ids that differ little. */
function hash(text: string, seed?: number): number {
  let h = fnv1a(text, seed);
  h = imul(h ^ (h >>> 16), 0x85ebca6b);
  h = imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

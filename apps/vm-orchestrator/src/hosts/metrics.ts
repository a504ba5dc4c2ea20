import { HOST_CONDITION_TYPES } from '@novacron/contracts/infrastructure';
import { observableGauge, type Observe } from '@novacron/telemetry/metrics';
import { RESOURCES, type HostView } from './host-view.js';
import type { HostSnapshot } from './snapshot.js';

/** Hosts by zone and state, and the totals of each zone, by the last view. To be called once in a process. */
export function exportHostMetrics(snapshot: HostSnapshot): void {
  observableGauge('novacron_hosts', 'Hosts by zone and state', (observe) => {
    const counts = new Map<string, { host: HostView; hosts: number }>();
    for (const host of snapshot.hosts()) {
      const key = `${host.zone} ${host.state} ${host.schedulable}`;
      counts.set(key, { host, hosts: (counts.get(key)?.hosts ?? 0) + 1 });
    }
    for (const { host, hosts } of counts.values()) {
      observe(hosts, { zone: host.zone, state: host.state, schedulable: String(host.schedulable) });
    }
  });
  observableGauge('novacron_host_conditions', 'Hosts that have a condition, by zone and type', (observe) => {
    for (const zone of new Set(snapshot.hosts().map((host) => host.zone))) {
      const hosts = snapshot.hosts().filter((host) => host.zone === zone);
      for (const type of HOST_CONDITION_TYPES) {
        const having = hosts.filter(({ conditions }) => conditions.some((one) => one.type === type));
        observe(having.length, { zone, type });
      }
    }
  });
  observableGauge(
    'novacron_zone_capacity',
    'What the hosts of a zone that are up hold together: vCPUs, MiB, GiB',
    (observe) => sum(snapshot, 'capacity', observe),
  );
  observableGauge(
    'novacron_zone_allocated',
    'What is given to VMs on the hosts of a zone that are up: vCPUs, MiB, GiB',
    (observe) => sum(snapshot, 'allocated', observe),
  );
}

function sum(snapshot: HostSnapshot, what: 'capacity' | 'allocated', observe: Observe): void {
  const up = snapshot.hosts().filter(({ state }) => state === 'up');
  for (const zone of new Set(up.map((host) => host.zone))) {
    const hosts = up.filter((host) => host.zone === zone);
    for (const resource of RESOURCES) {
      observe(
        hosts.reduce((total, host) => total + host[what][resource], 0),
        { zone, resource },
      );
    }
  }
}

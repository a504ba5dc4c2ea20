import { Injectable } from '@nestjs/common';
import type { Heartbeat } from '@novacron/contracts/agents';
import type { HostId } from '@novacron/contracts/ids';
import type { z } from 'zod';
import { ClockSkew } from './clock-skew.js';
import { HostConditions } from './conditions.js';
import { HostResources } from './host-resources.js';

/** What a host reports of itself with a heartbeat. What is missing stays as it is. */
export type Reported = Partial<Pick<z.infer<typeof Heartbeat>, 'conditions' | 'physical' | 'at'>>;

/** Applies what a heartbeat carries besides the proof of life: conditions, the host's clock, its resources. */
@Injectable()
export class HeartbeatContents {
  constructor(
    private readonly conditions: HostConditions,
    private readonly clocks: ClockSkew,
    private readonly resources: HostResources,
  ) {}

  async apply(hostId: HostId, { conditions, at, physical }: Reported): Promise<void> {
    if (conditions) await this.conditions.report(hostId, conditions);
    if (at !== undefined) await this.clocks.observe(hostId, at);
    if (physical) await this.resources.report(hostId, physical);
  }
}

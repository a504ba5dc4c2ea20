import { newId } from '@novacron/contracts/ids';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../time/clock.js';
import { describeDriverContract } from '../../../test/driver-contract/contract.js';
import { seededRandom } from '@novacron/async/random';
import { SimulatedDriver } from './driver.js';
import { NO_FAILURES, parseLatencies } from '../../config.js';

describeDriverContract('simulated', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'novacron-simulated-'));
  return {
    folder,
    open: () =>
      SimulatedDriver.open({
        path: join(folder, 'guests.journal'),
        clock: systemClock,
        random: seededRandom(1),
        latencies: parseLatencies('all=5ms,powerdown=20ms'),
        failureRates: NO_FAILURES,
        images: ['ubuntu-22.04'],
        capacity: { cpu: 8, memory: 16_384, disk: 100 },
        load: { traces: [], seed: 1 },
      }),
    spec: () => ({
      vmId: newId(),
      name: 'web-1',
      config: { cpu: 2, memory: 4_096, disk: 50, image: 'ubuntu-22.04' },
      userData: null,
      sshKeys: [],
    }),
    dispose: () => rm(folder, { recursive: true }),
  };
});

import { describe, it } from '@jest/globals';
import { describeDriverContract } from '../../../test/driver-contract/contract.js';
import { qemuIsInstalled, QemuHost } from './qemu-host.harness.js';

if (qemuIsInstalled()) describeDriverContract('qemu', () => QemuHost.prepare());
else describe('the qemu driver', () => it.skip('QEMU is not installed here', () => undefined));

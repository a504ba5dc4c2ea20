import { describe } from '@jest/globals';
import { canRun } from './support/balancer.js';
import { frontDoor } from './support/contract.js';

// Skipped where nginx is missing: `npm test` installs it by apt as root, and says in a line when it cannot.
(canRun('nginx') ? describe : describe.skip)('nginx in front of gateways', () => frontDoor('nginx'));

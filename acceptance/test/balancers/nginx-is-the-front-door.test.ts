import { describe } from '@jest/globals';
import { canRun } from './support/balancer.js';
import { frontDoor } from './support/contract.js';

// Skipped without nginx. As root `npm test` installs it by apt, or prints a warning.
(canRun('nginx') ? describe : describe.skip)('nginx in front of gateways', () => frontDoor('nginx'));

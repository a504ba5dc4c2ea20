import { IntakeResult, metricsRpc } from '@novacron/contracts/metrics';
import { defineRead } from '../reads/define-read.js';
import { question } from '../reads/question.js';

export const showIntake = defineRead({
  id: 'showMetricsIntake',
  path: '/api/v1/metrics/intake',
  tag: 'Metrics',
  summary: 'What became of pushed points',
  description:
    'A push answers as soon as its points are stored durably on their way in. Points that turn out to be of no use ' +
    'afterwards are dropped, and counted here by reason, for the last 24 hours: a VM that is unknown or was deleted ' +
    'before (`unknown_vm`, `vm_deleted`), times outside of what is kept (`too_old`, `in_future`), a name beyond the ' +
    "tenant's limit (`too_many_names`), a message that the database refuses (`unstorable`). Points that hosts measure " +
    'count, too. `lastAt` is in milliseconds since 1970.',
  access: 'read',
  answer: {
    description: "The tenant's metric names and dropped points.",
    schema: IntakeResult,
  },
  errors: [],
  ask: () => question(metricsRpc.intake, {}, null),
});

import { Aggregation, LatestResult, MetricName, metricsRpc, RangeResult } from '@novacron/contracts/metrics';
import { ServiceError } from '@novacron/contracts/errors';
import type { VmId } from '@novacron/contracts/ids';
import { vmsRpc } from '@novacron/contracts/vms';
import { z } from 'zod';
import type { Call } from '../edge/call.js';
import { defineRoute } from '../edge/route.js';
import { vmParams } from '../vms/parameters.js';
import { rangeOf, timeParameter } from './range.js';

const rangeQuery = z.strictObject({
  metric: z.array(MetricName).min(1).max(20),
  from: timeParameter.optional(),
  to: timeParameter.optional(),
  step: z.coerce
    .number()
    .int()
    .min(1)
    .max(86_400 * 31)
    .optional(),
  agg: Aggregation.default('avg'),
});

export const queryMetrics = defineRoute({
  id: 'queryMetrics',
  method: 'GET',
  path: '/api/v1/vms/{id}/metrics',
  tag: 'Metrics',
  summary: "A VM's metrics over a range of time",
  description:
    'The last hour unless told. `from` and `to` in milliseconds or RFC 3339; `step` in seconds, chosen when left out.',
  access: 'read',
  params: vmParams,
  query: rangeQuery,
  lists: { metric: 'comma' },
  answers: {
    200: { description: 'A series for each metric; null where nothing is known.', schema: RangeResult },
  },
  errors: ['not_found'],
  async handle(call) {
    const { metric, agg, ...range } = call.query;
    const vmId = call.params.id;
    const body = { vmId, metric, agg, ...rangeOf(range) };
    return {
      status: 200,
      body: await ofExistingVm(call, vmId, async () => (await call.ask(metricsRpc.range, body)).body),
    };
  },
});

export const latestMetrics = defineRoute({
  id: 'latestMetrics',
  method: 'GET',
  path: '/api/v1/vms/{id}/metrics/latest',
  tag: 'Metrics',
  summary: "The latest value of each of a VM's metrics",
  access: 'read',
  params: vmParams,
  answers: { 200: { description: 'The values with their times.', schema: LatestResult } },
  errors: ['not_found'],
  async handle(call) {
    const vmId = call.params.id;
    return {
      status: 200,
      body: await ofExistingVm(call, vmId, async () => (await call.ask(metricsRpc.latest, { vmId })).body),
    };
  },
});

/**
 * Asks for the VM beside its metrics, so that another tenant's VM is 404 and not an empty series. While the
 * VM's owner cannot be asked, the metrics alone answer: they are the tenant's own in any case.
 */
async function ofExistingVm<T>(call: Call, id: VmId, metrics: () => Promise<T>): Promise<T> {
  const [answer, vm] = await Promise.allSettled([metrics(), call.ask(vmsRpc.get, { id })]);
  if (vm.status === 'rejected' && vm.reason instanceof ServiceError && vm.reason.code === 'not_found')
    throw vm.reason;
  if (answer.status === 'rejected') throw answer.reason;
  return answer.value;
}

import { fetchOrchestratorEvents, watermarkSubject } from '@novacron/contracts/events';
import { invalidationSubjects } from '@novacron/contracts/invalidation';
import { jobsRpc } from '@novacron/contracts/jobs';
import { metricsRpc } from '@novacron/contracts/metrics';
import { subjectPattern } from '@novacron/contracts/subject';
import { vmsRpc } from '@novacron/contracts/vms';

/** What one NATS user may do. Subjects that are not named are refused. */
export interface NatsUser {
  readonly user: string;
  readonly password: string;
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  /** may answer a request that it was sent, once, wherever the answer is to go */
  readonly answers?: true;
}

export const natsServices = ['gateway', 'orchestrator', 'metrics', 'cache'] as const;
export type NatsService = (typeof natsServices)[number];

/**
 * JetStream's requests for reading one stream through one durable consumer.
 * @param consumer its name; `*`: consumers that the server names or that come and go
 */
function consume(stream: string, consumer: string): string[] {
  return [
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.${consumer}`,
    `$JS.API.CONSUMER.CREATE.${stream}.${consumer}.>`,
    ...['DURABLE.CREATE', 'INFO', 'DELETE', 'MSG.NEXT'].map(
      (verb) => `$JS.API.CONSUMER.${verb}.${stream}.${consumer}`,
    ),
    `$JS.ACK.${stream}.${consumer}.>`,
  ];
}

function manage(stream: string): string[] {
  return ['CREATE', 'UPDATE', 'INFO'].map((verb) => `$JS.API.STREAM.${verb}.${stream}`);
}

/** Durable consumers of EVENTS: the services that read the stream name theirs so. */
export const eventConsumers = { cache: 'cache-invalidation', metrics: 'metrics-vms' } as const;

const inboxOf = (service: NatsService) => subjectPattern('_INBOX', service, '>');

/**
 * Where answers go: to inboxes, whose names only the asker knows. Leave to answer what was asked
 * (`allow_responses`) is for hosts, which are not trusted so far: the server notes each message that came with
 * a reply subject, events of JetStream too, and beyond 4,096 notes walks through all of them at every message.
 */
const INBOXES = '_INBOX.>';

/**
 * What each service does, and nothing else: a test compares it with the contracts that its code calls and serves.
 * The gateway calls for users whatever the services serve; the others name what they call.
 */
const serviceSubjects: Record<NatsService, { publish: string[]; subscribe: string[] }> = {
  gateway: {
    publish: ['rpc.orchestrator.>', 'rpc.metrics.>', 'rpc.cache.>', metricPattern('gateway')],
    // Waits and event streams hear events as they are published; nobody but their owner publishes them.
    subscribe: ['events.>', watermarkSubject('orchestrator'), ...Object.values(invalidationSubjects)],
  },
  orchestrator: {
    publish: [
      'events.>',
      watermarkSubject('orchestrator'),
      'wake.orchestrator.>',
      'agents.>',
      // Of hosts, too.
      INBOXES,
      ...manage('EVENTS'),
    ],
    subscribe: ['rpc.orchestrator.>', 'hosts.>', 'wake.orchestrator.>'],
  },
  metrics: {
    publish: [
      vmsRpc.locate.subject,
      invalidationSubjects.metrics,
      inboxOf('gateway'),
      inboxOf('cache'),
      ...manage('METRICS'),
      ...consume('METRICS', '*'),
      // A consumer that the server names.
      '$JS.API.CONSUMER.CREATE.METRICS',
      '$JS.API.STREAM.MSG.GET.METRICS',
      ...consume('EVENTS', eventConsumers.metrics),
    ],
    subscribe: ['rpc.metrics.>'],
  },
  cache: {
    publish: [
      fetchOrchestratorEvents.subject,
      vmsRpc.list.subject,
      vmsRpc.get.subject,
      jobsRpc.get.subject,
      metricsRpc.latest.subject,
      metricsRpc.range.subject,
      invalidationSubjects.orchestrator,
      inboxOf('gateway'),
      ...consume('EVENTS', eventConsumers.cache),
    ],
    subscribe: ['rpc.cache.>', watermarkSubject('orchestrator'), invalidationSubjects.metrics],
  },
};

/** `metrics.ingest.<partition>.<source>` of every partition. */
function metricPattern(source: string): string {
  return subjectPattern('metrics', 'ingest', '*', source);
}

/** A service does what {@link serviceSubjects} says and hears the answers that come to its own inbox. */
export function serviceUser(service: NatsService, password: string): NatsUser {
  const { publish, subscribe } = serviceSubjects[service];
  return { user: service, password, publish, subscribe: [...subscribe, inboxOf(service)] };
}

/** A host speaks for itself alone: its id is part of every subject that it may publish on. */
export function hostUser(hostId: string, password: string): NatsUser {
  return {
    user: `host-${hostId}`,
    password,
    publish: [subjectPattern('hosts', hostId, '>'), metricPattern(hostId)],
    subscribe: [subjectPattern('agents', hostId, '>'), subjectPattern('_INBOX', `host-${hostId}`, '>')],
    answers: true,
  };
}

/** The stack's own user: makes streams, looks at everything. */
export function adminNatsUser(password: string): NatsUser {
  return { user: 'admin', password, publish: ['>'], subscribe: ['>'] };
}

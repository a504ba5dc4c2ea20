import { fetchOrchestratorEvents, watermarkSubject } from '@novacron/contracts/events';
import { invalidationSubjects } from '@novacron/contracts/invalidation';
import { jobsRpc } from '@novacron/contracts/jobs';
import { metricsRpc } from '@novacron/contracts/metrics';
import { subjectPattern } from '@novacron/contracts/subject';
import { vmsRpc } from '@novacron/contracts/vms';

/** The permissions of one NATS user. The server refuses every subject that is not listed. */
export interface NatsUser {
  readonly user: string;
  readonly password: string;
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  /** may answer each request that it receives, once, on any reply subject */
  readonly answers?: true;
}

export const natsServices = ['gateway', 'orchestrator', 'metrics', 'cache'] as const;
export type NatsService = (typeof natsServices)[number];

/**
 * JetStream's requests for reading one stream through one durable consumer.
 * @param consumer its name, or `*` for consumers that the server names and for short-lived ones
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

/** Names of the durable consumers of EVENTS. The services that read the stream use these names. */
export const eventConsumers = { cache: 'cache-invalidation', metrics: 'metrics-vms' } as const;

const inboxOf = (service: NatsService) => subjectPattern('_INBOX', service, '>');

/**
 * Replies go to inboxes, whose names only the requester knows. Services may publish to inboxes. Hosts get
 * `allow_responses` instead, because hosts are less trusted. Services do not: for `allow_responses` the server
 * records each message with a reply subject, JetStream's too. Above 4,096 records it scans all of them for every message.
 */
const INBOXES = '_INBOX.>';

/**
 * The subjects that each service uses. A test compares them with the contracts that its code calls and serves.
 * The gateway may call everything that the services serve. The other services list each call.
 */
const serviceSubjects: Record<NatsService, { publish: string[]; subscribe: string[] }> = {
  gateway: {
    publish: ['rpc.orchestrator.>', 'rpc.metrics.>', 'rpc.cache.>', metricPattern('gateway')],
    // Waits and event streams receive events as the orchestrator publishes them.
    subscribe: ['events.>', watermarkSubject('orchestrator'), ...Object.values(invalidationSubjects)],
  },
  orchestrator: {
    publish: [
      'events.>',
      watermarkSubject('orchestrator'),
      'wake.orchestrator.>',
      'agents.>',
      // Hosts' inboxes too.
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
      // For a consumer that the server names.
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

/** A service uses the subjects of {@link serviceSubjects} and receives replies in its own inbox. */
export function serviceUser(service: NatsService, password: string): NatsUser {
  const { publish, subscribe } = serviceSubjects[service];
  return { user: service, password, publish, subscribe: [...subscribe, inboxOf(service)] };
}

/** A host publishes for itself only: its id is part of every subject that it may publish to. */
export function hostUser(hostId: string, password: string): NatsUser {
  return {
    user: `host-${hostId}`,
    password,
    publish: [subjectPattern('hosts', hostId, '>'), metricPattern(hostId)],
    subscribe: [subjectPattern('agents', hostId, '>'), subjectPattern('_INBOX', `host-${hostId}`, '>')],
    answers: true,
  };
}

/** The stack's own user, which may create streams and read everything. */
export function adminNatsUser(password: string): NatsUser {
  return { user: 'admin', password, publish: ['>'], subscribe: ['>'] };
}

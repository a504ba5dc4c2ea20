import { subjectPattern } from '@novacron/contracts/subject';

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

/** JetStream's requests for reading one stream through consumers of one's own. */
function consume(stream: string): string[] {
  return [
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.STREAM.MSG.GET.${stream}`,
    `$JS.API.DIRECT.GET.${stream}`,
    `$JS.API.DIRECT.GET.${stream}.>`,
    `$JS.API.CONSUMER.*.${stream}`,
    `$JS.API.CONSUMER.*.${stream}.>`,
    `$JS.API.CONSUMER.*.*.${stream}.>`,
    `$JS.ACK.${stream}.>`,
    `$JS.FC.${stream}.>`,
  ];
}

function manage(stream: string): string[] {
  return [
    `$JS.API.STREAM.CREATE.${stream}`,
    `$JS.API.STREAM.UPDATE.${stream}`,
    `$JS.API.STREAM.INFO.${stream}`,
  ];
}

const serviceSubjects: Record<NatsService, { publish: string[]; subscribe: string[] }> = {
  gateway: {
    publish: ['metrics.ingest.*.gateway', ...consume('EVENTS'), '$JS.API.STREAM.INFO.METRICS'],
    // Waits and event streams hear events as they are published; nobody but their owner publishes them.
    subscribe: ['events.>', 'watermarks.>', 'invalidations.>'],
  },
  orchestrator: {
    publish: ['events.>', 'agents.>', ...consume('EVENTS'), ...manage('EVENTS'), ...manage('METRICS')],
    subscribe: ['hosts.>', 'watermarks.>'],
  },
  metrics: {
    publish: [
      'events.>',
      'invalidations.metrics',
      ...consume('METRICS'),
      ...manage('METRICS'),
      ...consume('EVENTS'),
    ],
    subscribe: ['watermarks.>'],
  },
  cache: {
    publish: ['invalidations.>', ...consume('EVENTS')],
    subscribe: ['watermarks.>', 'invalidations.metrics'],
  },
};

/**
 * Where answers go: to inboxes, whose names only the asker knows. Leave to answer what was asked
 * (`allow_responses`) is for hosts, which are not trusted so far: the server notes each message that came with
 * a reply subject, events of JetStream too, and beyond 4,096 notes walks through all of them at every message.
 */
const INBOXES = '_INBOX.>';

/** A service may call every service and answer whoever called it; each has its own inbox, watermark and `wake.<service>`. */
export function serviceUser(service: NatsService, password: string): NatsUser {
  const own = serviceSubjects[service];
  return {
    user: service,
    password,
    publish: [
      ...own.publish,
      'rpc.>',
      INBOXES,
      subjectPattern('watermarks', service),
      subjectPattern('wake', service, '>'),
      subjectPattern('wake', service),
      '$JS.API.INFO',
    ],
    subscribe: [
      ...own.subscribe,
      subjectPattern('rpc', service, '>'),
      subjectPattern('_INBOX', service, '>'),
      subjectPattern('wake', service, '>'),
      subjectPattern('wake', service),
    ],
  };
}

/** A host speaks for itself alone: its id is part of every subject that it may publish on. */
export function hostUser(hostId: string, password: string): NatsUser {
  return {
    user: `host-${hostId}`,
    password,
    publish: [subjectPattern('hosts', hostId, '>'), subjectPattern('metrics', 'ingest', '*', hostId)],
    subscribe: [subjectPattern('agents', hostId, '>'), subjectPattern('_INBOX', `host-${hostId}`, '>')],
    answers: true,
  };
}

/** The stack's own user: makes streams, looks at everything. */
export function adminNatsUser(password: string): NatsUser {
  return { user: 'admin', password, publish: ['>'], subscribe: ['>'] };
}

import type { Command, CommandReply } from '@novacron/contracts/agents';

type Identity = 'commandId' | 'vmId' | 'epoch' | 'generation' | 'fence';
type Distribute<C> = C extends unknown ? Omit<C, Identity> : never;

/** A command without what every command carries. */
export type CommandBody = Distribute<Command>;

/** What came back, or that nothing did. `host_fenced`: nothing was sent, and nothing will be. */
export type HostAnswer =
  CommandReply | { readonly outcome: 'unreachable' | 'host_fenced'; readonly detail: string };

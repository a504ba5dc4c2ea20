import type { Command, CommandReply } from '@novacron/contracts/agents';

type Identity = 'commandId' | 'vmId' | 'epoch' | 'generation' | 'fence';
type Distribute<C> = C extends unknown ? Omit<C, Identity> : never;

/** A command without the fields that every command has. */
export type CommandBody = Distribute<Command>;

/** The host's reply, or the lack of one. `host_fenced`: no command was sent, and none will be. */
export type HostAnswer =
  CommandReply | { readonly outcome: 'unreachable' | 'host_fenced'; readonly detail: string };

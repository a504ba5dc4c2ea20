/** Deliberate bugs. Each is a module of `preload/` that is loaded before the program and changes one method. */
export const sabotages = {
  /** An invalidation deletes the entry without a tombstone, so a concurrent fill restores the old state. */
  'del-instead-of-tombstone': { apps: ['gateway', 'cache-invalidator'] },
  /** The position is read at the query's end, while the rows are from its start. */
  'position-inside-query': { apps: ['vm-orchestrator'] },
  /** A list's generation is a counter of events, independent of the position of the server that it was read from. */
  'counter-as-generation': { apps: ['gateway'] },
} as const satisfies Record<string, { readonly apps: readonly string[] }>;

export type SabotageName = keyof typeof sabotages;

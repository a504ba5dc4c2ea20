/** Deliberate bugs, each a module of `preload/` that is loaded before the program and changes one method. */
export const sabotages = {
  /** An invalidation deletes and remembers nothing: a fill that is under way brings the old state back. */
  'del-instead-of-tombstone': { apps: ['gateway', 'cache-invalidator'] },
  /** The position is that of the query's end, the rows are those of its beginning. */
  'position-inside-query': { apps: ['vm-orchestrator'] },
  /** A list is as new as the number of changes that its reader knew of, however old the server was that it read. */
  'counter-as-generation': { apps: ['gateway'] },
} as const satisfies Record<string, { readonly apps: readonly string[] }>;

export type SabotageName = keyof typeof sabotages;

/** The stop reason of a VM that a drain powered off and that has to stay on its host. */
export const HOST_DRAINED = 'host_drained';

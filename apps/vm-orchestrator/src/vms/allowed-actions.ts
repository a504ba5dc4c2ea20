import {
  allowedActions,
  OFFERED_ACTIONS,
  type GateView,
  type VmAction,
} from '@novacron/vm-lifecycle/actions';

/** The actions on a VM that the gates accept now and that some driver can do. */
export function offeredActions(vm: GateView): VmAction[] {
  return allowedActions(vm).filter((action) => OFFERED_ACTIONS.includes(action));
}

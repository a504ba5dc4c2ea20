import type { Database, Statement } from '@novacron/postgres/database';
import { allowedActions, VM_ACTIONS, type VmAction } from '@novacron/vm-lifecycle/actions';
import { VM_STATES, type VmState } from '@novacron/vm-lifecycle/states';
import { operationFor } from '../operations/registry.js';
import type { JobKind } from './row.js';

const SAVE: Statement = {
  name: 'allowed-actions-save',
  text: `INSERT INTO allowed_actions (state, task, placed, actions)
    SELECT state, task, placed, actions FROM json_populate_recordset(null::allowed_actions, $1)
    ON CONFLICT (state, task, placed) DO UPDATE SET actions = excluded.actions
    WHERE allowed_actions.actions::text <> excluded.actions::text`,
};

/** What may be asked of a VM in this state: what the gates accept and is built. */
export function offeredActions(state: VmState, task: JobKind | null, placed: boolean): VmAction[] {
  return allowedActions({ state, task, placed }).filter((action) => operationFor(action) !== undefined);
}

/** Tells the database, for the VMs that it shows as JSON by itself. At each start: the code has the say. */
export async function saveAllowedActions(db: Database): Promise<void> {
  const tasks: (JobKind | null)[] = [null, 'create', ...VM_ACTIONS];
  const rows = VM_STATES.flatMap((state) =>
    tasks.flatMap((task) =>
      [true, false].map((placed) => ({
        state,
        task: task ?? '',
        placed,
        actions: offeredActions(state, task, placed),
      })),
    ),
  );
  await db.primary.batch({}, [{ statement: SAVE, params: [JSON.stringify(rows)] }]);
}

import type { Migration } from '@novacron/postgres/migrate';
import { Initial1764000000000 } from './0001-initial.js';
import { VmJson1764003600000 } from './0002-vm-json.js';
import { Workers1764007200000 } from './0003-workers.js';
import { History1764010800000 } from './0004-history.js';
import { Autovacuum1764014400000 } from './0005-autovacuum.js';
import { ChangedSince1764018000000 } from './0006-changed-since.js';
import { RestartPolicy1764021600000 } from './0007-restart-policy.js';
import { RestartIndexes1764025200000 } from './0008-restart-indexes.js';
import { QuotaOfFailedCreates1764032400000 } from './0010-quota-of-failed-creates.js';
import { HostResources1764036000000 } from './0011-host-resources.js';
import { HostRecords1764039600000 } from './0012-host-records.js';
import { SetAside1764043200000 } from './0013-set-aside.js';
import { ImageCatalogue1764046800000 } from './0014-image-catalogue.js';

/** Every migration of the schema, oldest first. */
export const MIGRATIONS: readonly Migration[] = [
  Initial1764000000000,
  VmJson1764003600000,
  Workers1764007200000,
  History1764010800000,
  Autovacuum1764014400000,
  ChangedSince1764018000000,
  RestartPolicy1764021600000,
  RestartIndexes1764025200000,
  QuotaOfFailedCreates1764032400000,
  HostResources1764036000000,
  HostRecords1764039600000,
  SetAside1764043200000,
  ImageCatalogue1764046800000,
];

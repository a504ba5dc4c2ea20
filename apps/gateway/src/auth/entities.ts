import { EntitySet } from '@novacron/postgres/entities';
import { ApiToken } from './api-token.entity.js';
import { Tenant } from './tenant.entity.js';

export const tenancyClasses = [Tenant, ApiToken];

/** The entities of schema `gateway`. */
export const tenancyEntities = new EntitySet('gateway', tenancyClasses);

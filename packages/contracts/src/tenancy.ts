import { z } from 'zod';
import { Role } from './envelope.js';
import { TenantId } from './ids.js';

/** The caller, as their token identifies them. */
export const Me = z.object({
  principal: z.string(),
  roles: z.array(Role),
  tenant: z.object({ id: TenantId, name: z.string() }),
});

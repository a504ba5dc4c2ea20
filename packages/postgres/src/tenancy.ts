/** SQL that keeps tenants apart. Every name given here comes from the code, never from input. */

const NAME = /^[a-z_][a-z0-9_]*$/;

/**
 * What every schema needs once: its roles may use it, and `current_tenant()`, which raises instead of
 * letting a query without a tenant see nothing (or everything). After a transaction the setting reads as an
 * empty text, not NULL: both are no tenant. Safe to run again.
 */
export function tenancyBase(schema: string): string[] {
  const s = checked(schema);
  return [
    `GRANT USAGE ON SCHEMA ${s} TO ${s}_api, ${s}_sys`,
    `CREATE OR REPLACE FUNCTION ${s}.current_tenant() RETURNS text
       LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
     DECLARE tenant text := current_setting('app.tenant_id', true);
     BEGIN
       IF tenant IS NULL OR tenant = '' THEN
         RAISE EXCEPTION 'no tenant is set' USING ERRCODE = 'insufficient_privilege';
       END IF;
       RETURN tenant;
     END $$`,
    `GRANT EXECUTE ON FUNCTION ${s}.current_tenant() TO ${s}_api, ${s}_sys`,
  ];
}

export interface TenantTableOptions {
  /** Column that names the tenant. */
  readonly column?: string;
  /** Its type. */
  readonly type?: 'uuid' | 'text';
  /** What the `_api` role may do. */
  readonly api?: string;
}

/**
 * Row-level security for a table that tenants own: the `_api` role sees and writes rows of the tenant that
 * is set and gets an error without one; `_sys` and the owner see all; every other role sees nothing.
 */
export function tenantTable(schema: string, table: string, options: TenantTableOptions = {}): string[] {
  const s = checked(schema);
  const t = `${s}.${checked(table)}`;
  const column = checked(options.column ?? 'tenant_id');
  // In a sub-select it runs once for a query, not once for a row.
  const own = `${column} = (SELECT ${s}.current_tenant())::${options.type ?? 'uuid'}`;
  return [
    `ALTER TABLE ${t} ENABLE ROW LEVEL SECURITY`,
    `ALTER TABLE ${t} FORCE ROW LEVEL SECURITY`,
    `CREATE POLICY tenant ON ${t} TO ${s}_api USING (${own}) WITH CHECK (${own})`,
    `CREATE POLICY service ON ${t} TO ${s}_sys, ${s}_owner USING (true) WITH CHECK (true)`,
    ...grants(schema, table, options.api === undefined ? {} : { api: options.api }),
  ];
}

/** Grants on a table, to both roles everything unless said otherwise; `api: ''` grants the `_api` role nothing. */
export function grants(schema: string, table: string, rights: { api?: string; sys?: string } = {}): string[] {
  const s = checked(schema);
  const all = 'SELECT, INSERT, UPDATE, DELETE';
  return (['api', 'sys'] as const)
    .map((role) => [role, rights[role] ?? all] as const)
    .filter(([, right]) => right !== '')
    .map(([role, right]) => `GRANT ${right} ON ${s}.${checked(table)} TO ${s}_${role}`);
}

function checked(name: string): string {
  if (!NAME.test(name)) throw new Error(`not a plain SQL name: ${name}`);
  return name;
}

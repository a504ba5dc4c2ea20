/** Injection tokens of what the kit provides to every module: `@Inject(NATS) nc: NatsConnection`. */
export const CONTEXT = Symbol('novacron:context');
export const CONFIG = Symbol('novacron:config');
export const LOGGER = Symbol('novacron:logger');
export const DRAIN = Symbol('novacron:drain');
export const READINESS = Symbol('novacron:readiness');
/** NatsConnection, JetStreamClient and RpcClient; only with natsEnv. */
export const NATS = Symbol('novacron:nats');
export const JETSTREAM = Symbol('novacron:jetstream');
export const RPC_CLIENT = Symbol('novacron:rpc-client');
/** The two Databases; only with postgresEnv. */
export const DATABASE_API = Symbol('novacron:database-api');
export const DATABASE_SYS = Symbol('novacron:database-sys');

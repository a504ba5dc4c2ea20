/** What the two programs of the baseline are told when they start. */
export interface BaselineSettings {
  readonly nats: { readonly servers: string[]; readonly user: string; readonly pass: string };
  readonly postgres: {
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly username: string;
    readonly password: string;
  };
}

/** The settings that the two programs of the baseline receive at their start. */
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

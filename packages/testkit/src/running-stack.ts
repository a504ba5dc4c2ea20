/** A part of a stack: a process of the local one, or a container. */
export interface Component {
  readonly name: string;
  /** `running` when it is up and well */
  readonly state: string;
  readonly pid?: number;
}

/** What the end-to-end tests need of a stack, whatever it runs in. Components have the names of the local stack. */
export interface RunningStack {
  readonly url: string;
  readonly token: string;
  readonly operatorToken: string;
  /** How many answer at `url`. */
  readonly gateways: number;
  /** NOVACRON_URL, NOVACRON_TOKEN, addresses of the servers */
  env(): Record<string, string>;
  components(): Component[];
  /** Pid of a component on this machine. */
  pid(name: string): number | undefined;
  /** Runs the gateway's seed command with these variables. */
  seed(variables: Readonly<Record<string, string>>): Promise<void>;
  /** Ends what was started for the test. */
  remove(): Promise<void>;
}

/** A part of a stack: a process of the local stack, or a container. */
export interface Component {
  readonly name: string;
  /** `running` when it is healthy */
  readonly state: string;
  readonly pid?: number;
}

/** A running stack for end-to-end tests, in processes or in containers. Components have the local stack's names. */
export interface RunningStack {
  readonly url: string;
  readonly token: string;
  readonly operatorToken: string;
  /** The number of gateways behind `url`. */
  readonly gateways: number;
  /** NOVACRON_URL, NOVACRON_TOKEN, addresses of the servers */
  env(): Record<string, string>;
  components(): Component[];
  /** Pid of a component on this machine. */
  pid(name: string): number | undefined;
  /** Runs the gateway's seed command with these variables. */
  seed(variables: Readonly<Record<string, string>>): Promise<void>;
  /** Ends everything that was started for the test. */
  remove(): Promise<void>;
}

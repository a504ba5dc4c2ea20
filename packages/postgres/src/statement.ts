/**
 * One SQL statement as the code knows it. With a `name` it is prepared once per connection: names come from
 * the code, never from input, since a connection keeps every name it has seen.
 */
export interface Statement {
  readonly name?: string;
  readonly text: string;
  /** The label `table` of the query metrics, when the text's first table is not the one meant. */
  readonly table?: string;
  /** Rows are arrays of the text that came, or null, in the order selected: for callers that pass the text on. */
  readonly raw?: boolean;
}

/** A statement with its parameters, as a batch takes them. */
export interface Call {
  readonly statement: Statement;
  readonly params?: readonly unknown[];
}

/** The answer of one statement. `rowCount` counts rows returned or changed. */
export interface Result<T> {
  readonly rows: T[];
  readonly rowCount: number;
}

export interface Labels {
  readonly queryType: string;
  readonly table: string;
}

const labels = new WeakMap<Statement, Labels>();
const TABLE = /\b(?:from|into|update|table|copy)\s+(?:only\s+)?(?:"?\w+"?\.)?"?([a-z_]\w*)"?/i;

/** Labels for metrics, worked out once for each statement: its verb and its first table. */
export function labelsOf(statement: Statement): Labels {
  let known = labels.get(statement);
  if (!known) {
    known = {
      queryType: (/^\s*([a-z]+)/i.exec(statement.text)?.[1] ?? 'other').toLowerCase(),
      table: statement.table ?? TABLE.exec(statement.text)?.[1]?.toLowerCase() ?? 'none',
    };
    labels.set(statement, known);
  }
  return known;
}

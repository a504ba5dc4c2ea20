/** A failure that a person can act on: one line with the failure and a hint. */
export class StackError extends Error {
  override readonly name = 'StackError';
  constructor(message: string, hint?: string, options?: ErrorOptions) {
    super(hint === undefined ? message : `${message}. ${hint}`, options);
  }
}

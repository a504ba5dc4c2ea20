/** A failure a person can act on: one line that says what failed, and what to do about it. */
export class StackError extends Error {
  override readonly name = 'StackError';
  constructor(message: string, hint?: string, options?: ErrorOptions) {
    super(hint === undefined ? message : `${message}. ${hint}`, options);
  }
}

/** Why nothing was recorded: something that the user can mend, in one line. */
export class RecordError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'InputError';
  }
}

/**
 * The header of a snapshot file, as its JSON claims it: each field is what it must be, or refused by name.
 *
 * Promises  A name out of the file (`__proto__`) is only ever a value, or the key of a Map; never a key of an object.
 */
import { InputError } from '../../mm/bug.ts';

export class Fields {
  private readonly file: string;
  private readonly place: string;
  private readonly value: unknown;

  constructor(file: string, place: string, value: unknown) {
    this.file = file;
    this.place = place;
    this.value = value;
  }

  at(name: string): Fields {
    const { value } = this;
    const isThere = typeof value === 'object' && value !== null && Object.hasOwn(value, name);
    const inner: unknown = isThere ? Reflect.get(value, name) : undefined;
    return new Fields(this.file, this.place === '' ? name : `${this.place}.${name}`, inner);
  }

  get isNull(): boolean {
    return this.value === null;
  }

  text(): string {
    return typeof this.value === 'string' ? this.value : this.refuse('a text');
  }

  flag(): boolean {
    return typeof this.value === 'boolean' ? this.value : this.refuse('true or false');
  }

  number(): number {
    return typeof this.value === 'number' && this.value >= 0 ? this.value : this.refuse('a number from 0 on');
  }

  whole(most: number = Number.MAX_SAFE_INTEGER): number {
    const { value } = this;
    const isRight = typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most;
    return isRight ? value : this.refuse(`a whole number up to ${most}`);
  }

  list(): Fields[] {
    const { value } = this;
    if (!Array.isArray(value)) return this.refuse('a list');
    return value.map((inner: unknown, i) => new Fields(this.file, `${this.place}[${i}]`, inner));
  }

  /** A list of so many. */
  row(length: number): Fields[] {
    const list = this.list();
    return list.length === length ? list : this.refuse(`a list of ${length}`);
  }

  texts(): string[] {
    const { value } = this;
    if (!Array.isArray(value)) return this.refuse('a list');
    const wrong = value.findIndex((inner) => typeof inner !== 'string');
    if (wrong >= 0) new Fields(this.file, `${this.place}[${wrong}]`, value[wrong]).text();
    return value as string[];
  }

  /** A list of pairs of texts. */
  named(): Map<string, string> {
    return new Map(
      this.list().map((pair) => {
        const [name, text] = pair.row(2);
        return [name!.text(), text!.text()] as const;
      }),
    );
  }

  refuse(wanted: string): never {
    throw new InputError(this.file, 0, `header: ${this.place} is not ${wanted}`);
  }
}

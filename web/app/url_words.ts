/**
 * How single things stand in the address: each has a name there, and a usual value, which is left out.
 *
 * Promises  What cannot be is not read: undefined, and the usual value stands.
 */
export interface Word<T> {
  readonly name: string;
  readonly usual: T;
  write(value: T): string;
  read(text: string): T | undefined;
}

export function oneOf<const T extends string | number, const U extends T | null>(
  name: string,
  values: readonly T[],
  usual: U,
): Word<T | U> {
  return {
    name,
    usual,
    write: (value) => String(value ?? ''),
    read: (text) => values.find((value) => String(value) === text),
  };
}

/** In the order in which they were chosen. */
export function someOf<const T extends string>(name: string, values: readonly T[]): Word<readonly T[]> {
  return {
    name,
    usual: [],
    write: (chosen) => chosen.join(),
    read: (text) => {
      const chosen = text.split(',').map((word) => values.find((value) => value === word));
      return chosen.every((value) => value !== undefined) ? chosen : undefined;
    },
  };
}

export function flag<U extends boolean | null>(name: string, usual: U): Word<boolean | U> {
  return {
    name,
    usual,
    write: (value) => (value === null ? '' : value ? '1' : '0'),
    read: (text) => (text === '1' ? true : text === '0' ? false : undefined),
  };
}

export function whole<U extends number | null>(name: string, least: number, most: number, usual: U): Word<number | U> {
  return {
    name,
    usual,
    write: (value) => String(value ?? ''),
    read: (text) => wholeIn(text, least, most) ?? undefined,
  };
}

/** `3071:2`. */
export function wholePair(name: string): Word<readonly [number, number] | null> {
  return {
    name,
    usual: null,
    write: (value) => value?.join(':') ?? '',
    read: (text) => {
      const [first, second, ...rest] = text.split(':').map((part) => wholeIn(part, 0, 2 ** 40));
      return first == null || second == null || rest.length > 0 ? undefined : [first, second];
    },
  };
}

export function text(name: string, isOne: (text: string) => boolean, usual = ''): Word<string> {
  return { name, usual, write: (value) => value, read: (value) => (isOne(value) ? value : undefined) };
}

export function wholeIn(text: string, least: number, most: number): number | null {
  if (!/^\d{1,16}$/.test(text)) return null;
  const value = Number(text);
  return value >= least && value <= most ? value : null;
}

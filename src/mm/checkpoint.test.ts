import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Checkpoint, Checkpoints } from './checkpoint.ts';
import { stateHash } from './snapshot.ts';

interface Thing {
  words: Uint32Array;
  wide: Float64Array;
  bytes: Uint8Array;
  names: string[];
  self: Thing | null;
}

function thing(): Thing {
  const made: Thing = {
    words: new Uint32Array(20_000),
    wide: new Float64Array(5000),
    bytes: new Uint8Array(16_385),
    names: [],
    self: null,
  };
  made.self = made;
  return made;
}

test('what was kept comes back to the bit, in any order, whatever happened since', () => {
  const step = fc.oneof(
    fc.record({ what: fc.constant('write' as const), at: fc.nat(19_999), value: fc.nat() }),
    fc.record({ what: fc.constant('keep' as const), at: fc.nat(), value: fc.nat() }),
    fc.record({ what: fc.constant('restore' as const), at: fc.nat(), value: fc.nat() }),
    fc.record({ what: fc.constant('forget' as const), at: fc.nat(), value: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const store = new Checkpoints<Thing>();
      const kept: { checkpoint: Checkpoint<Thing>; hash: string }[] = [];
      let living = thing();
      for (const { what, at, value } of steps) {
        if (what === 'write') {
          living.words[at] = value;
          living.wide[at % 5000] = value / 3;
          living.bytes[at % 16_385] = value;
          living.names.push(String(value));
        } else if (what === 'keep') {
          kept.push({ checkpoint: store.keep(living), hash: stateHash(living) });
        } else if (kept.length > 0) {
          const one = kept[at % kept.length]!;
          if (what === 'forget') {
            store.forget(one.checkpoint);
            kept.splice(kept.indexOf(one), 1);
          } else {
            living = store.restore(one.checkpoint);
            expect(stateHash(living)).toBe(one.hash);
            expect(living.self).toBe(living);
          }
        }
      }
      const pieces = new Set(kept.flatMap(({ checkpoint }) => checkpoint.columns.flatMap((c) => c.pieces)));
      expect(store.bytes).toBe([...pieces].reduce((sum, piece) => sum + piece.length, 0));
    }),
    { numRuns: 60 },
  );
});

test('a checkpoint costs the pieces that changed, also after going back', () => {
  const store = new Checkpoints<Thing>();
  const one = thing();
  const first = store.keep(one);
  const whole = store.bytes;
  expect(whole).toBe(80_000 + 40_000 + 16_385);
  one.words[0] = 1;
  one.words[1] = 1;
  const second = store.keep(one);
  expect(store.bytes).toBe(whole + 16_384);
  const back = store.restore(first);
  store.keep(back);
  expect(store.bytes).toBe(whole + 16_384);
  store.forget(second);
  expect(store.bytes).toBe(whole);
});

test('what is shared is the same object in every copy', () => {
  const big = new Uint8Array(1 << 20);
  const store = new Checkpoints<{ big: Uint8Array; own: Uint8Array }>((value) => value === big);
  const kept = store.keep({ big, own: new Uint8Array(8) });
  expect(store.bytes).toBe(8);
  expect(store.restore(kept).big).toBe(big);
});

/**
 * PSS and USS counted from page tables and mapcounts, beside smaps_rollup: how many of how many processes are equal to the kB,
 * round by round and at best, and where not.
 */
import { compareRounds } from '../test/host/equal_to_kernel.ts';

const ROUNDS = 10;
const SHOWN = 20;

const start = performance.now();
const { best, rounds } = compareRounds(ROUNDS, (left) => left.length === 0);
for (const [i, { compared, hidden, snapshot }] of rounds.entries()) {
  const of = (verdict: string) => compared.filter((each) => each.verdict === verdict).length;
  console.log(
    `round ${i + 1}: ${of('equal')} of ${compared.length} processes equal; ${of('moved')} moved while they were read, ` +
      `${of('differs')} differ though smaps_rollup did not move; ${hidden} not to be read; ` +
      `${snapshot.entries.count} entries, ${snapshot.tookMs.toFixed(0)} ms`,
  );
}
const equal = best.filter(({ verdict }) => verdict === 'equal').length;
console.log(
  `at best: ${equal} of ${best.length} processes equal to the kB (rss, pss, uss, swap pss), in ${rounds.length} rounds`,
);
for (const { pid, comm, verdict, differs } of best.filter((each) => each.verdict !== 'equal').slice(0, SHOWN)) {
  console.log(`  ${pid} ${JSON.stringify(comm)} ${verdict}: ${differs.join('; ')}`);
}
console.log(`${((performance.now() - start) / 1000).toFixed(1)} s`);

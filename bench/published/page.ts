/** docs/published.md: each number with its source and date, what was published, and what the engine counts. */
import { type Figure, isExact, type PublishedNumber } from './number.ts';

export interface Result {
  readonly number: PublishedNumber;
  readonly figures: readonly Figure[];
}

export function pageOf(results: readonly Result[]): string {
  const exact = results.filter(({ figures }) => isExact(figures)).length;
  const figures = results.flatMap((result) => result.figures);
  const same = figures.filter(({ verdict }) => verdict === 'exact').length;
  return `# Does the engine get the numbers that kernel developers published?

Written by \`npm run bench:published -- --write\`; do not edit it. Each figure of the engine is counted while it runs, on the kernel that
the line names. ${exact} of ${results.length} numbers come out to the digit, ${same} of ${figures.length} figures.

| number | source | date | |
| --- | --- | --- | --- |
${results.map(summaryRow).join('\n')}

*exact*: all that can be counted here is the published number. *with a reason*: some of it is not, and the text below says why.
${results.map(section).join('')}`;
}

function summaryRow({ number, figures }: Result): string {
  const anchor = number.name
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-');
  return `| [${number.name}](#${anchor}) | ${number.source} | ${number.date} | ${isExact(figures) ? 'exact' : 'with a reason'} |`;
}

/** What the page says of one number. */
export function section({ number, figures }: Result): string {
  const rows = figures.map(
    ({ what, published, engine, verdict }) => `| ${what} | ${published} | ${engine} | ${verdict} |`,
  );
  const remark = number.remark === undefined ? '' : `\n${number.remark}\n`;
  return `
## ${number.name}

${number.source}, ${number.date}. ${number.how}

| | published | engine | |
| --- | ---: | ---: | --- |
${rows.join('\n')}
${remark}`;
}

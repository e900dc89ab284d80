/** Compare in a browser: what it says of two machines is what Node says of them; both go together; and every look of it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeSnapshot } from '../../src/host/file/snapshot_file.ts';
import { snapshotOfMachine } from '../../src/host/of_machine.ts';
import { MACHINE_CHOICE, type MachineChoice } from '../../src/view/choice.ts';
import { layPages, leftState, nextDiffering, rightState, STATE_NAMES } from '../../src/view/compare_pages.ts';
import { nextParting, type PartingKind } from '../../src/view/compare_partings.ts';
import { begin, open } from '../../src/view/open.ts';
import { Session } from '../../src/view/session.ts';
import type { MachineSubject } from '../../src/view/subject.ts';
import { FIRST_PROGRAM } from '../../web/app/first_program.ts';
import { CHROMIUM, holdLooks, openSite, type Site, settled } from './site.ts';

const MIB = 2 ** 20;
const ZIPF_STEP = 60_000;

async function session(name: string, bytes: Uint8Array, choice: Partial<MachineChoice>): Promise<Session> {
  const one = new Session();
  await one.open({ name, bytes }, { ...MACHINE_CHOICE, ...choice });
  return one;
}

function parting([left, right]: readonly Session[], what: PartingKind, from: number) {
  const ask = (one: Session) => async (a: number, b: number) => one.ask('compareHappened', a, b);
  return nextParting({ what, left: ask(left!), right: ask(right!) }, from);
}

/** Until both stand still, at the same step. */
async function bothSettled(page: Page): Promise<void> {
  await settled(page);
  await page.waitForFunction(() => {
    const compare = document.querySelector<HTMLElement>('.compare');
    const step = new URLSearchParams(location.hash.slice(1)).get('step') ?? '0';
    return compare?.dataset['second'] === 'still' && compare.dataset['step'] === step;
  });
}

/** The cells of a counter: left, right, difference. */
async function cells(page: Page, name: string): Promise<string[]> {
  return page
    .locator('.compare-counts tr', { has: page.getByText(name, { exact: true }) })
    .locator('td')
    .allInnerTexts();
}

const grouped = (n: number) => n.toLocaleString('en');

describe.skipIf(CHROMIUM === undefined)('compare (skipped: there is no Chromium)', () => {
  let site: Site;
  /** On which zipf was compared. */
  let zipf: Page;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(() => site.close());

  test('2.4.19 beside 6.18 on the first program: numbers, the first parting, both go together', async () => {
    const bytes = new TextEncoder().encode(FIRST_PROGRAM);
    const both = await Promise.all([{}, { kernel: '2.4.19' }].map((choice) => session('p.mmp', bytes, choice)));
    const page = await site.open('view=compare&step=6');
    await bothSettled(page);
    const counts = both.map((one) => {
      one.seek(6);
      return one.ask('compareCounts');
    });
    const values = counts.map((rows) => rows.find(({ name }) => name === 'minor faults')!.value!);
    const off = values[1]! - values[0]!;
    expect(off).not.toBe(0);
    const difference = `${off > 0 ? '▲ +' : '▼ −'}${grouped(Math.abs(off))}`;
    await page.locator('.compare-counts td', { hasText: difference }).first().waitFor();
    expect(await cells(page, 'minor faults')).toEqual([grouped(values[0]!), grouped(values[1]!), difference]);
    const laid = layPages(both[0]!.ask('comparePages'), both[1]!.ask('comparePages'));
    const differing = laid.reduce((sum, one) => sum + one.differing, 0);
    await page.locator('.compare-pages h3', { hasText: `${differing} page` }).waitFor();

    const first = (await parting(both, 'fault', 0))!;
    await page.getByRole('button', { name: 'First', exact: true }).click();
    await page.locator('.compare-found', { hasText: `Step ${first.step}:` }).waitFor();
    await page.waitForFunction((step) => location.hash.includes(`step=${step}`), first.step);
    await bothSettled(page);

    await page.getByLabel('linked: both at the same step').uncheck();
    await page.keyboard.press('Escape');
    await page.locator('#main').focus();
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction((step) => location.hash.includes(`step=${step}`), first.step + 1);
    expect(await page.locator('.compare').getAttribute('data-step')).toBe(String(first.step));
    await page.waitForFunction((step) => location.hash.includes(`b.step=${step}`), first.step);
    const headings = await page.evaluateHandle(() => {
      const counts = document.querySelector('.compare-counts')!;
      const seen: string[] = [];
      const look = () => seen.push(`${counts.ariaBusy} ${counts.querySelector('h3')?.textContent}`);
      new MutationObserver(look).observe(counts, { subtree: true, childList: true, characterData: true });
      return seen;
    });
    await page.getByLabel('linked: both at the same step').check();
    await bothSettled(page);
    const [step, next] = [first.step, first.step + 1];
    expect(await headings.jsonValue()).toContain(
      `true The right machine is on its way: left at step ${next}, right at ${step}`,
    );
    expect(await page.locator('.compare-counts[aria-busy=false] h3', { hasText: 'numbers' }).count()).toBe(1);

    // The same page on both sides, in another frame on each.
    const [left, right] = both.map((one) => {
      one.seek(first.step + 1);
      return one;
    });
    const sideOf = (name: string) => page.locator(`.compare-pair section[aria-label="${name}: Frames"]`);
    const holdSides = async (pid: number, address: number): Promise<void> => {
      for (const [name, one] of [
        ['Left', left!],
        ['Right', right!],
      ] as const) {
        const { pfn } = one.ask('resolve', { by: 'page', pfn: null, pid, address });
        await sideOf(name)
          .getByRole('region', { name: `struct page of frame ${pfn}`, exact: true })
          .waitFor();
      }
    };
    await page.getByLabel('Show of both').selectOption('frames');
    await page.getByLabel('Go to').fill('1:0x100000100000');
    await page.getByRole('button', { name: 'Choose', exact: true }).click();
    await holdSides(1, 0x1000_0010_0000);
    await sideOf('Right').getByRole('button', { name: 'process 1', exact: true }).click();
    const range = sideOf('Right').locator('.frames-ranges button').first();
    const pfn = Number.parseInt(await range.innerText(), 10);
    await range.click();
    const { pid, address } = right!.ask('resolve', { by: 'frame', pfn, pid: null, address: null });
    expect(address).not.toBeNull();
    expect(left!.ask('resolve', { by: 'page', pfn: null, pid, address }).pfn).not.toBe(pfn);
    await holdSides(pid!, address!);
    await page.waitForFunction((at) => location.hash.includes(at), `page=${pid}%3A0x${address!.toString(16)}`);
    await page.close();
  });

  test('zipf with and without a limit: pages that only one has, a page chosen in both, the first eviction', async () => {
    const bytes = new Uint8Array(readFileSync(join(import.meta.dirname, '../../examples/zipf.rvm.gz')));
    const both = await Promise.all([{}, { limitBytes: 6 * MIB }].map((choice) => session('zipf', bytes, choice)));
    const link = `view=compare&open=example:zipf&step=${ZIPF_STEP}&b.kernel=6.18&b.limit=6M`;
    const page = await site.open(link);
    await bothSettled(page);
    for (const one of both) one.seek(ZIPF_STEP);
    const laid = layPages(both[0]!.ask('comparePages'), both[1]!.ask('comparePages'));
    const differing = laid.reduce((sum, one) => sum + one.differing, 0);
    expect(differing).toBeGreaterThan(100);
    await page.locator('.compare-pages h3', { hasText: grouped(differing) }).waitFor();
    const out = both[1]!.ask('compareCounts').find(({ name }) => name === 'pswpout')!.value!;
    expect(await cells(page, 'pswpout')).toEqual(['0', grouped(out), `▲ +${grouped(out)}`]);
    await page.getByRole('button', { name: 'Next page that differs ▶' }).click();
    const { pid, vpn } = nextDiffering(laid, null, false)!;
    const process = laid.find((one) => one.pid === pid)!;
    const code = process.code[process.vpn.indexOf(vpn)]!;
    const states = `${STATE_NAMES[leftState(code)]} on the left, ${STATE_NAMES[rightState(code)]} on the right`;
    await page.locator('.compare-pages p', { hasText: `at 0x${(vpn * 4096).toString(16)}: ${states}` }).waitFor();
    await page.waitForFunction(() => location.hash.includes('page='));

    const evicts = (await parting(both, 'evict', 0))!;
    await page.getByLabel('Step at which').selectOption('evict');
    await page.getByRole('button', { name: 'First', exact: true }).click();
    await page.locator('.compare-found', { hasText: `Step ${grouped(evicts.step)}:` }).waitFor();
    await bothSettled(page);
    zipf = page;
  });

  test('every look of it is well', () => holdLooks(zipf, 'compare'));

  test('another view of both stands side by side, and in the address', async () => {
    await zipf.getByLabel('Show of both').selectOption('lists');
    await zipf.waitForFunction(() => location.hash.includes('pair=lists'));
    expect(await zipf.locator('.compare-pair section[aria-label$="Lists"]').count()).toBe(2);
    await zipf.close();
  });

  test('a snapshot has no second machine, and says so', async () => {
    const page = await site.open('view=compare');
    const subject = begin(
      await open({ name: 'p.mmp', bytes: new TextEncoder().encode(FIRST_PROGRAM) }),
      MACHINE_CHOICE,
    );
    const snapshot = encodeSnapshot(snapshotOfMachine((subject as MachineSubject).machine));
    await page.getByLabel('File', { exact: true }).setInputFiles({
      name: 'host.snapshot',
      mimeType: 'application/octet-stream',
      buffer: Buffer.concat(snapshot),
    });
    await page.locator('.empty', { hasText: 'no second machine' }).waitFor();
    await page.close();
  });

  test('no page said an error, and nothing was asked of another host', () => expect(site.errors).toEqual([]));
});

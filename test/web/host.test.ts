/** View 8: snapshots of a simulated machine and of this host, opened in the page as a reader opens them. */
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ProcessCosts } from '../../src/host/cost/ps.ts';
import { writeSnapshotFile } from '../../src/host/file/snapshot_store.ts';
import { LiveHost } from '../../src/host/live_host.ts';
import { snapshotOfMachine } from '../../src/host/of_machine.ts';
import type { HostSnapshot } from '../../src/host/snapshot.ts';
import { MACHINE_CHOICE } from '../../src/view/choice.ts';
import { begin, open } from '../../src/view/open.ts';
import type { MachineSubject } from '../../src/view/subject.ts';
import { FIRST_PROGRAM } from '../../web/app/first_program.ts';
import { bytesText } from '../../web/views/host/words.ts';
import { CHROMIUM, holdLooks, openSite, type Site, settled } from './site.ts';

const folder = mkdtempSync(join(tmpdir(), 'revmap-web-host-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** After so many lines of the page's first program. */
async function machineSnapshot(step: number): Promise<HostSnapshot> {
  const bytes = new TextEncoder().encode(FIRST_PROGRAM);
  const subject = begin(await open({ name: 'program.mmp', bytes }), MACHINE_CHOICE) as MachineSubject;
  subject.timeline.seek(step);
  return snapshotOfMachine(subject.machine);
}

async function written(name: string, snapshot: HostSnapshot): Promise<string> {
  const path = join(folder, name);
  await writeSnapshotFile(path, snapshot);
  return path;
}

/** Through the menu's own input. */
async function choose(page: Page, path: string): Promise<void> {
  await page.locator('input[type=file]').setInputFiles(path);
  await page.locator('.host-facts').waitFor();
  await settled(page);
}

function framesMayBeRead(): boolean {
  try {
    const fd = openSync('/proc/kpageflags', 'r');
    const read = readSync(fd, new Uint8Array(8));
    closeSync(fd);
    return read === 8;
  } catch {
    return false;
  }
}

describe.skipIf(CHROMIUM === undefined)('a host (skipped: there is no Chromium)', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(() => site.close());

  test('without one it says how to make one, and its parts are well in every look', async () => {
    const early = await written('early.rvs', await machineSnapshot(5));
    const late = await written('late.rvs', await machineSnapshot(9));
    const page = await site.open('view=host');
    expect(await page.locator('.view-host').innerText()).toContain('revmap snapshot -o host.rvh.gz');
    await choose(page, early);
    await page.getByRole('button', { name: 'What changed' }).click();
    expect(await page.locator('.view-host').innerText()).toContain('nothing to compare with');
    await choose(page, late);
    await page.locator('.host-part summary', { hasText: 'Processes: 2 changes' }).waitFor();
    await page.getByRole('button', { name: 'Processes' }).click();
    await page.getByRole('button', { name: '2', exact: true }).click();
    await page.locator('.host-sharers').waitFor();
    expect(await page.locator('.host-card').innerText()).toContain('If it ended now');
    await holdLooks(page, 'host');
    await page.close();
  });

  test('a dropped snapshot: memory adds up, files lead to frames, and the process to its address space', async () => {
    const bytes = readFileSync(await written('dropped.rvs', await machineSnapshot(9)));
    const page = await site.open('view=host');
    await page.evaluate((base64) => {
      const transfer = new DataTransfer();
      const data = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      transfer.items.add(new File([data], 'dropped.rvs'));
      document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true }));
    }, bytes.toString('base64'));
    await page.locator('.host-facts').waitFor();
    await page.getByRole('button', { name: 'Memory by use' }).click();
    const foot = await page.locator('.host-table tfoot').innerText();
    const [counted, total] = [...foot.matchAll(/[\d.]+ MiB/g)].map(([text]) => text);
    expect(counted).toBe(total);
    await page.getByRole('button', { name: 'Files' }).click();
    await page.getByRole('button', { name: '/data' }).click();
    const file = page.getByRole('region', { name: '/data' });
    await file.getByRole('button', { name: /^0x/ }).first().click();
    await page.waitForFunction(() => /frame=\d+/.test(location.hash));
    await page.getByRole('button', { name: 'Processes' }).click();
    await page.getByRole('button', { name: '1', exact: true }).click();
    await page.getByRole('button', { name: 'its address space' }).last().click();
    const ribbons = page.getByRole('slider', { name: 'Pages of processes' });
    await ribbons.focus();
    await page.keyboard.press('ArrowRight');
    await page.locator('.spaces-page', { hasText: 'resident' }).waitFor();
    await page.close();
  });

  test.skipIf(!framesMayBeRead())('this host, now (skipped: /proc/kpage* may not be read)', async () => {
    const host = new LiveHost();
    // A few processes are as real as all of them, and read in no time.
    const few = { frames: 'mapped', pids: [process.pid, process.ppid] } as const;
    const snapshot = host.snapshot(few);
    const page = await site.open('view=host');
    await choose(page, await written('live.rvs', snapshot));
    const cost = new ProcessCosts(snapshot).rows.find(({ pid }) => pid === process.pid)!;
    const row = page.locator('.host-table tbody tr', { hasText: String(process.pid) }).first();
    await row.waitFor();
    expect(await row.innerText()).toContain(bytesText(cost.pss_bytes));
    await page.getByRole('button', { name: String(process.pid), exact: true }).click();
    await page.locator('.host-sharers li').first().waitFor();
    await page.getByRole('button', { name: 'Address spaces', exact: true }).click();
    await page.locator(`[role=treeitem][aria-selected=true][data-pid="${process.pid}"]`).waitFor();
    await page
      .getByRole('slider', { name: /^Pages of/ })
      .first()
      .waitFor();
    await page.close();
  });

  test('no page said an error', () => expect(site.errors).toEqual([]));
});

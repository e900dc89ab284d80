/** The editor in a browser: errors in place, results behind their lines, running while one types, links. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packText } from '../../web/app/url.ts';
import { CHROMIUM, holdLooks, keepShot, openSite, type Site, settled } from './site.ts';

const VIEW = '.view-editor';
const TEXT = `%mmp 1
1 mmap(0x100000000000, 16384, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 store(0x100000000000, 16384, 1)
1 munmap(0x100000000001, 4096)
1 load(0x100000008000)
`;

describe.skipIf(CHROMIUM === undefined)('the editor (skipped: there is no Chromium)', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(() => site.close());

  const open = (text: string, more = '', width = 1440) =>
    site.open(`view=editor&open=program&program=${packText(text)}${more}`, width);

  test('what each line did stands behind it, a refusal and a fault in words, and it looks well', async () => {
    const page = await open(TEXT, '&step=2');
    await page.locator('.outcome', { hasText: 'EINVAL: an argument that cannot be' }).waitFor();
    await page.locator('.outcome', { hasText: 'SIGSEGV at 0x100000008000: nothing is mapped there' }).waitFor();
    await page.locator('.outcome', { hasText: '= 4, 4 faults' }).waitFor();
    expect(await page.locator('.editor-state').innerText()).toContain('4 steps, 2 refused or broken off.');
    // The machine has made two steps: line 4 is next.
    expect(await page.locator('.number.next').innerText()).toContain('4');
    await page.getByText('What each line did').click();
    expect(await page.locator('.editor-table tbody tr').count()).toBe(4);
    await holdLooks(page, 'editor', VIEW);
    await page.close();
  });

  test('an error is marked at its line, the machine stays; mended it runs, and undo takes it back', async () => {
    const page = await open(TEXT, '&step=4');
    const field = page.getByLabel('Memory program');
    await page.locator('.outcome').nth(3).waitFor();
    await field.focus();
    await page.keyboard.press('Control+End');
    await page.keyboard.type('1 load(0x100000000000, 4096');
    await page.locator('.editor-fault', { hasText: "expected ',' or ')'" }).waitFor();
    expect(await page.locator('.number.fault').innerText()).toContain('6');
    expect(await field.getAttribute('aria-invalid')).toBe('true');
    expect(await page.locator('.where').innerText()).toContain('step 4 of 4');
    // What the lines before it did stays behind them.
    await page.locator('.outcome').nth(3).waitFor();
    await keepShot(page, 'editor-fault');
    await page.keyboard.type(')');
    await page.locator('.where', { hasText: 'step 5 of 5' }).waitFor();
    expect(await page.locator('.editor-fault').count()).toBe(0);
    await page.getByRole('button', { name: 'Begin from it' }).click();
    expect(await field.inputValue()).toContain('A file, private memory, and a fork');
    await page.keyboard.press('Control+z');
    expect(await field.inputValue()).toBe(`${TEXT}1 load(0x100000000000, 4096)`);
    // Tab leaves the field.
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.tagName)).not.toBe('TEXTAREA');
    await page.close();
  });

  test('a number goes to the state before its line, Ctrl Shift Enter to that of the caret, a call is put in', async () => {
    const page = await open(TEXT);
    await page.getByRole('button', { name: 'Line 3: go to the state before it' }).first().click();
    await page.locator('.where', { hasText: 'step 1 of 4' }).waitFor();
    await page.locator('.number.next', { hasText: '3' }).waitFor();
    const field = page.getByLabel('Memory program');
    await field.focus();
    await page.keyboard.press('Control+Home');
    for (let down = 0; down < 3; down++) await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Control+Shift+Enter');
    await page.locator('.where', { hasText: 'step 2 of 4' }).waitFor();
    await settled(page);
    await page.getByLabel('run while I type').uncheck();
    await page.getByRole('button', { name: 'check', exact: true }).click();
    expect((await field.inputValue()).split('\n')[4]).toBe('1 check(0x100000000000, 4096)');
    await page.getByText('press Run').waitFor();
    expect(await page.locator('.where').innerText()).toContain('of 4');
    await field.focus();
    await page.keyboard.press('Control+Enter');
    await page.locator('.where', { hasText: 'step 5 of 5' }).waitFor();
    await page.close();
  });

  test('the box follows the caret, and a long text has marks only where it is seen', async () => {
    const lines = Array.from({ length: 500 }, (_, n) => `1 store(0x100000000000, 4096, ${n % 256})`);
    const text = `${TEXT.split('\n').slice(0, 2).join('\n')}\n%snapshot manual`.replace(/(1 mmap.*)\n(%.*)/, '$2\n$1');
    const page = await open(`${text}\n${lines.join('\n')}\n`, '', 360);
    const box = page.locator('.editor-box');
    await page.getByLabel('Memory program').focus();
    await page.keyboard.press('Control+End');
    await page.keyboard.type(`# ${'and on and on '.repeat(4)}`);
    await page.waitForFunction(() => document.querySelector('.editor-box')!.scrollLeft > 100);
    expect(await box.evaluate(({ scrollTop }) => scrollTop)).toBeGreaterThan(9_000);
    await page.locator('.number', { hasText: '504' }).waitFor();
    expect(await page.locator('.number').count()).toBeLessThan(100);
    await page.close();
  });

  test('a link opens the same program, machine and step in another page', async () => {
    const page = await open(TEXT, '&kernel=2.6.24&step=3&page=1%3A0x100000000000');
    await page.getByRole('button', { name: 'Copy link' }).click();
    await page.getByText(/Copied\.|Copy it from here/).waitFor();
    const link = await page.getByLabel('Link').inputValue();
    const again = await site.open(link.slice(link.indexOf('#') + 1));
    expect(await again.getByLabel('Memory program').inputValue()).toBe(TEXT);
    expect(await again.locator('.what').innerText()).toContain('2.6.24');
    expect(await again.locator('.where').innerText()).toContain('step 3 of 4');
    await again.locator('.chosen', { hasText: /Frame 0x/ }).waitFor();
    await again.waitForFunction(() => location.hash.includes('page=1%3A0x100000000000'));
    await again.close();
    await page.close();
  });

  test('a link to a program that is none opens the editor, which says where it is wrong', async () => {
    const page = await site.browser.newPage();
    await page.goto(`${site.url}#view=editor&open=program&program=${packText('%mmp 1\n1 nonsense\n')}`);
    await page.locator('.editor-fault', { hasText: 'is no call' }).waitFor();
    expect(await page.getByLabel('Memory program').inputValue()).toContain('nonsense');
    await page.close();
  });

  test('no page said an error, and nothing was asked of another host', () => expect(site.errors).toEqual([]));
});

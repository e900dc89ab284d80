/** The rule about the arrows catches what it is there for (.dependency-cruiser.cjs, scripts/arrows.mjs). */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'vitest';

const root = join(import.meta.dirname, '..');

/** Runs the rule over a project of these files, and gives what it says. */
function arrows(files: Record<string, string>): { status: number | null; said: string } {
  const folder = mkdtempSync(join(tmpdir(), 'revmap-arrows-'));
  try {
    for (const name of ['.dependency-cruiser.cjs', 'tsconfig.json', 'tsconfig.base.json', 'package.json']) {
      cpSync(join(root, name), join(folder, name));
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    const script = join(root, 'scripts', 'arrows.mjs');
    const { status, stdout, stderr } = spawnSync(process.execPath, [script], { cwd: folder, encoding: 'utf8' });
    return { status, said: stdout + stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const good = {
  'src/mm/a.ts': "import type { B } from './b.ts';\nexport class A { b: B | undefined; }\n",
  'src/mm/b.ts': "import { A } from './a.ts';\nexport class B { a = new A(); }\n",
  'src/trace/t.ts':
    "import type { A } from '../mm/a.ts';\nimport { readFileSync } from 'node:fs';\nexport type T = A;\nreadFileSync;\n",
  'web/main.tsx': "import { A } from '../src/mm/a.ts';\nexport const a = new A();\n",
};

test('arrows: the table is kept, and parts may know each other as types', () => {
  const { status, said } = arrows(good);
  assert.deepEqual({ status, said }, { status: 0, said: '4 files, 0 arrows against the table\n' });
});

const wrong = [
  { why: 'the engine asks Node', path: 'src/mm/c.ts', text: "import 'node:fs';", rule: 'mm needs neither' },
  { why: 'the engine takes a package', path: 'src/mm/d.ts', text: "import 'commander';", rule: 'mm needs neither' },
  {
    why: 'the engine knows its user',
    path: 'src/mm/e.ts',
    text: "import type {} from '../trace/t.ts';",
    rule: 'mm imports no',
  },
  {
    why: 'more than a type',
    path: 'src/trace/c.ts',
    text: "import { A } from '../mm/a.ts'; new A();",
    rule: 'only types',
  },
  { why: 'a file that is not there', path: 'src/cli/c.ts', text: "import './none.ts';", rule: 'leads somewhere' },
  { why: 'a command in the library', path: 'src/index.ts', text: "import './cli/d.ts';", rule: 'no command' },
  {
    why: 'the engine knows its page',
    path: 'src/mm/f.ts',
    text: "import '../../web/main.tsx';",
    rule: 'asks the page',
  },
  { why: 'the page asks Node', path: 'web/a.ts', text: "import 'node:fs';", rule: 'needs no Node' },
  { why: 'a room without a row', path: 'src/cli/d.ts', text: "import '../den/d.ts';", rule: 'outside the table' },
];

test('arrows: what is against the table is refused, each fault by the rule made for it', () => {
  const files = Object.fromEntries(wrong.map(({ path, text }) => [path, text]));
  const { status, said } = arrows({ ...good, ...files, 'src/den/d.ts': 'export {};' });
  assert.equal(status, 1);
  for (const { why, path, rule } of wrong) {
    assert.ok(
      said.split('\n').some((line) => line.startsWith(`${path} -> `) && line.includes(rule)),
      `${why}\n${said}`,
    );
  }
});

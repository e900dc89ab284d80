/**
 * The arrows: which room may import which. `npm run arrows` holds them.
 *
 * Data flows one way, from a recording to whoever asks; imports point inwards only. A room that is not in the
 * table may not exist. `types` means that types may be imported, and nothing that is there at run time.
 */
const rooms = {
  mm: [],
  syscalls: ['mm'],
  proc: ['mm', 'syscalls'],
  trace: ['mm types', 'syscalls'],
  record: ['syscalls', 'trace'],
  policy: [],
  host: ['mm', 'syscalls', 'proc', 'trace'],
  lab: ['mm', 'syscalls', 'proc', 'trace', 'policy'],
  measure: ['mm', 'trace', 'lab'],
  view: ['mm', 'syscalls', 'proc', 'trace', 'host', 'lab'],
  server: ['mm', 'syscalls', 'proc', 'trace', 'host', 'lab'],
  cli: ['mm', 'syscalls', 'proc', 'trace', 'record', 'policy', 'host', 'lab', 'measure', 'server'],
};

/** Who needs neither Node nor a package at run time: they run in a browser too. Their tests may use both. */
const pure = ['mm', 'syscalls', 'proc', 'policy'];

/** What lies beside the code and is no part of it. */
const test = '[.]test[.]ts$';

const forbidden = [
  {
    name: 'no room outside the table',
    severity: 'error',
    from: {},
    to: { path: '^src/[^/]+/', pathNot: `^src/(${Object.keys(rooms).join('|')})/` },
  },
  {
    name: 'the library knows no command and no server',
    severity: 'error',
    from: { path: '^src/index[.]ts$' },
    to: { path: '^src/(cli|server)/' },
  },
  {
    name: 'the page asks src, and nobody asks the page',
    severity: 'error',
    from: { path: '^src/' },
    to: { path: '^web/' },
  },
  {
    name: 'the page needs no Node',
    severity: 'error',
    from: { path: '^web/', pathNot: `${test}|^web/vite[.]config[.]ts$` },
    to: { dependencyTypes: ['core'] },
  },
  {
    name: 'nothing imports the tests',
    severity: 'error',
    from: { path: '^(src|web)/', pathNot: test },
    to: { path: [test, '^(test|bench|scripts)/'] },
  },
  {
    name: 'every import leads somewhere',
    severity: 'error',
    from: {},
    to: { couldNotResolve: true },
  },
];

for (const [room, arrows] of Object.entries(rooms)) {
  const free = [room, ...arrows.filter((arrow) => !arrow.endsWith(' types'))];
  const typesOnly = arrows.filter((arrow) => arrow.endsWith(' types')).map((arrow) => arrow.split(' ')[0]);
  forbidden.push({
    name: `${room} imports ${arrows.join(', ') || 'no other room'}`,
    severity: 'error',
    from: { path: `^src/${room}/` },
    to: { path: '^src/', pathNot: `^src/(${[...free, ...typesOnly].join('|')})/` },
  });
  if (typesOnly.length > 0) {
    forbidden.push({
      name: `${room} imports only types from ${typesOnly.join(', ')}`,
      severity: 'error',
      from: { path: `^src/${room}/`, pathNot: test },
      to: { path: `^src/(${typesOnly.join('|')})/`, dependencyTypesNot: ['type-only'] },
    });
  }
  if (pure.includes(room)) {
    forbidden.push({
      name: `${room} needs neither Node nor a package`,
      severity: 'error',
      from: { path: `^src/${room}/`, pathNot: test },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown'] },
    });
  }
}

module.exports = {
  forbidden,
  options: {
    tsPreCompilationDeps: true, // sees type imports as well
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
    doNotFollow: { path: 'node_modules' },
  },
};

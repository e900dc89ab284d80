/**
 * The tracepoints of the kernels' memory management, as ftrace describes them.
 *
 * Owns      for each event its fields with their places in a record, and how it is printed. One description serves the text, the
 *           binary file and its format sections, so they cannot differ.
 * Promises  1. Names, types, order and format strings are the kernel's: of 6.18, of 6.1 (Debian's 6.1.170), of 3.16. Older kernels
 *              had no such events; they are written as 3.16 would. docs/tracing.md has the table.
 *           2. A pointer to a struct page holds the frame's number here; it becomes the address in vmemmap that x86-64 gives it.
 * Linux     6.18 include/trace/events/vmscan.h, filemap.h, pagemap.h, kmem.h, oom.h, writeback.h; arch/x86/include/asm/trace/exceptions.h
 */
import { type FlagNames, GFP_NAMES_3, GFP_NAMES_6_1, GFP_NAMES_6_18, printFlags } from './ftrace_gfp.ts';

/** Whose format: that of the newest kernel, of its elder, and that of the last ones with lists by zone and all before. */
export type FtraceEra = '6.18' | '6.1' | '3.16';
export type FieldValue = number | string;
/** By name of the field. */
export type FieldValues = Readonly<Record<string, FieldValue>>;

export interface FtraceField {
  readonly type: string;
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
  readonly signed: boolean;
}

/** What stands for one conversion of the format string: its value, and the expression that trace-cmd evaluates. */
interface Argument {
  readonly code: string;
  value(of: FieldValues): FieldValue;
}

export interface FtraceEvent {
  readonly system: string;
  readonly name: string;
  /** Its name in 6.18. */
  readonly key: string;
  /** trace_entry.flags and preempt_count, as the kernel holds its locks there. */
  readonly flags: string;
  readonly fields: readonly FtraceField[];
  /** Bytes of a record without its strings. */
  readonly bytes: number;
  readonly print: string;
  readonly args: readonly Argument[];
}

interface Form {
  /** C declarations, `;` between. */
  readonly fields: string;
  readonly print: string;
  readonly args: readonly (Argument | string)[];
}

interface Row extends Form {
  readonly event: string;
  readonly flags?: string;
  /** As the older kernels have it; a name of its own, or null: they do not have it. */
  readonly in61?: Partial<Form>;
  readonly in3?: (Partial<Form> & { readonly name?: string }) | null;
}

/** vmemmap_base of x86-64 without KASLR, and sizeof(struct page). */
const VMEMMAP = 'ffffea';
const STRUCT_PAGE = 64;
const HEADER_BYTES = 8;

/** The address of a frame's struct page, 16 digits: the lower 40 bits have room for 16 G frames. */
export function pageAddress(pfn: number): string {
  return VMEMMAP + (pfn * STRUCT_PAGE).toString(16).padStart(10, '0');
}

// arguments

const WRITEBACK_FLAGS: FlagNames = [
  [1, 'RECLAIM_WB_ANON'],
  [2, 'RECLAIM_WB_FILE'],
  [16, 'RECLAIM_WB_MIXED'],
  [4, 'RECLAIM_WB_SYNC'],
  [8, 'RECLAIM_WB_ASYNC'],
];
const THROTTLE_FLAGS: FlagNames = [
  [1, 'VMSCAN_THROTTLE_WRITEBACK'],
  [2, 'VMSCAN_THROTTLE_ISOLATED'],
  [4, 'VMSCAN_THROTTLE_NOPROGRESS'],
  [8, 'VMSCAN_THROTTLE_CONGESTED'],
];
const LRU_NAMES = ['inactive_anon', 'active_anon', 'inactive_file', 'active_file', 'unevictable'];
/** Each flag of mm_lru_insertion: the letter if it is set, and if not. */
const PAGE_LETTERS = [
  [1, 'M', ' '],
  [2, 'a', 'f'],
  [8, 's', ' '],
  [16, 'b', ' '],
  [32, 'd', ' '],
  [64, 'B', ' '],
] as const;

function field(name: string): Argument {
  return { code: `REC->${name}`, value: (of) => of[name]! };
}

function flags(name: string, names: FlagNames, none: string): Argument {
  const list = names.map(([bits, text]) => `{0x${bits.toString(16)}, "${text}"}`).join(', ');
  return {
    code: `(REC->${name}) ? __print_flags(REC->${name}, "|", ${list}) : "${none}"`,
    value: (of) => (of[name] === 0 ? none : printFlags(of[name] as number, names)),
  };
}

const LRU: Argument = {
  code: `__print_symbolic(REC->lru, ${LRU_NAMES.map((name, i) => `{${i}, "${name}"}`).join(', ')})`,
  value: (of) => LRU_NAMES[of['lru'] as number]!,
};
const MAJOR: Argument = {
  code: '((unsigned int) ((REC->s_dev) >> 20))',
  value: (of) => (of['s_dev'] as number) >>> 20,
};
const MINOR: Argument = {
  code: '((unsigned int) ((REC->s_dev) & ((1U << 20) - 1)))',
  value: (of) => (of['s_dev'] as number) & 0xfffff,
};
const OFFSET: Argument = { code: 'REC->index << 12', value: (of) => (of['index'] as number) * 4096 };
const PAGE_OF_PFN: Argument = {
  code: `(0x${VMEMMAP}0000000000 + (REC->pfn * ${STRUCT_PAGE}))`,
  value: (of) => pageAddress(of['pfn'] as number),
};
const COMM: Argument = { code: '__get_str(comm)', value: (of) => of['comm']! };
const LETTERS: readonly Argument[] = PAGE_LETTERS.map(([bit, set, clear]) => ({
  code: `REC->flags & ${bit} ? "${set}" : "${clear}"`,
  value: (of: FieldValues) => (((of['flags'] as number) & bit) !== 0 ? set : clear),
}));
const PAGEBLOCK_ORDER: Argument = { code: '9', value: () => 9 };
const FRAGMENTING: Argument = {
  code: 'REC->fallback_order < 9',
  value: (of) => ((of['fallback_order'] as number) < 9 ? 1 : 0),
};
/** A struct page * of 3.16 (`page`), of which 6.x prints the folio. */
const PFN_OF_PAGE: Argument = {
  code: `((REC->page - 0x${VMEMMAP}0000000000) / ${STRUCT_PAGE})`,
  value: (of) => of['page']!,
};
const POINTER_PAGE: Argument = { code: 'REC->page', value: (of) => pageAddress(of['page'] as number) };
const POINTER_FOLIO: Argument = { code: 'REC->folio', value: (of) => pageAddress(of['folio'] as number) };

/** Stands in a row for the era's table of allocation flags. */
const GFP: Argument = field('gfp_flags');
const RECLAIM_FLAGS = flags('reclaim_flags', WRITEBACK_FLAGS, 'RECLAIM_WB_NONE');

// the events

const RECLAIM_BEGIN: Form & Pick<Row, 'in3'> = {
  fields: 'int order; unsigned long gfp_flags',
  print: 'order=%d gfp_flags=%s',
  args: ['order', GFP],
  in3: {
    fields: 'int order; int may_writepage; gfp_t gfp_flags',
    print: 'order=%d may_writepage=%d gfp_flags=%s',
    args: ['order', 'may_writepage', GFP],
  },
};
const RECLAIM_END: Form = {
  fields: 'unsigned long nr_reclaimed',
  print: 'nr_reclaimed=%lu',
  args: ['nr_reclaimed'],
};
const PAGE_CACHE: Form & Pick<Row, 'in3'> = {
  fields: 'unsigned long pfn; unsigned long i_ino; unsigned long index; dev_t s_dev; unsigned char order',
  print: 'dev %d:%d ino %lx pfn=0x%lx ofs=%lu order=%u',
  args: [MAJOR, MINOR, 'i_ino', 'pfn', OFFSET, 'order'],
  in3: {
    fields: 'struct page * page; unsigned long i_ino; unsigned long index; dev_t s_dev',
    print: 'dev %d:%d ino %lx page=%p pfn=%lu ofs=%lu',
    args: [MAJOR, MINOR, 'i_ino', POINTER_PAGE, PFN_OF_PAGE, OFFSET],
  },
};
const PAGE_FAULT: Form & Pick<Row, 'in3'> = {
  fields: 'unsigned long address; unsigned long ip; unsigned long error_code',
  print: 'address=%ps ip=%ps error_code=0x%lx',
  args: ['address', 'ip', 'error_code'],
  in3: { print: 'address=%pf ip=%pf error_code=0x%lx' },
};
const SHRINKER_FIELDS = 'struct shrinker * shr; void * shrink; int nid';

const ROWS: readonly Row[] = [
  { event: 'vmscan:mm_vmscan_kswapd_sleep', fields: 'int nid', print: 'nid=%d', args: ['nid'] },
  {
    event: 'vmscan:mm_vmscan_kswapd_wake',
    fields: 'int nid; int zid; int order',
    print: 'nid=%d order=%d',
    args: ['nid', 'order'],
    in3: { fields: 'int nid; int order' },
  },
  {
    event: 'vmscan:mm_vmscan_wakeup_kswapd',
    fields: 'int nid; int zid; int order; unsigned long gfp_flags',
    print: 'nid=%d order=%d gfp_flags=%s',
    args: ['nid', 'order', GFP],
    in3: { fields: 'int nid; int zid; int order', print: 'nid=%d zid=%d order=%d', args: ['nid', 'zid', 'order'] },
  },
  { event: 'vmscan:mm_vmscan_direct_reclaim_begin', ...RECLAIM_BEGIN },
  { event: 'vmscan:mm_vmscan_direct_reclaim_end', ...RECLAIM_END },
  { event: 'vmscan:mm_vmscan_memcg_reclaim_begin', ...RECLAIM_BEGIN },
  { event: 'vmscan:mm_vmscan_memcg_reclaim_end', ...RECLAIM_END },
  {
    event: 'vmscan:mm_shrink_slab_start',
    fields:
      `${SHRINKER_FIELDS}; long nr_objects_to_shrink; unsigned long gfp_flags; unsigned long cache_items;` +
      'unsigned long long delta; unsigned long total_scan; int priority',
    print: '%pS %p: nid: %d objects to shrink %ld gfp_flags %s cache items %ld delta %lld total_scan %ld priority %d',
    args: ['shrink', 'shr', 'nid', 'nr_objects_to_shrink', GFP, 'cache_items', 'delta', 'total_scan', 'priority'],
    in3: null,
  },
  {
    event: 'vmscan:mm_shrink_slab_end',
    fields:
      'struct shrinker * shr; int nid; void * shrink; long unused_scan; long new_scan; int retval; long total_scan',
    print: '%pS %p: nid: %d unused scan count %ld new scan count %ld total_scan %ld last shrinker return val %d',
    args: ['shrink', 'shr', 'nid', 'unused_scan', 'new_scan', 'total_scan', 'retval'],
    in3: null,
  },
  {
    event: 'vmscan:mm_vmscan_lru_isolate',
    flags: 'd..1.',
    fields:
      'int highest_zoneidx; int order; unsigned long nr_requested; unsigned long nr_scanned;' +
      'unsigned long nr_skipped; unsigned long nr_taken; int lru',
    print: 'classzone=%d order=%d nr_requested=%lu nr_scanned=%lu nr_skipped=%lu nr_taken=%lu lru=%s',
    args: ['highest_zoneidx', 'order', 'nr_requested', 'nr_scanned', 'nr_skipped', 'nr_taken', LRU],
    in61: {
      fields:
        'int highest_zoneidx; int order; unsigned long nr_requested; unsigned long nr_scanned;' +
        'unsigned long nr_skipped; unsigned long nr_taken; unsigned int isolate_mode; int lru',
      print: 'isolate_mode=%d classzone=%d order=%d nr_requested=%lu nr_scanned=%lu nr_skipped=%lu nr_taken=%lu lru=%s',
      args: ['isolate_mode', 'highest_zoneidx', 'order', 'nr_requested', 'nr_scanned', 'nr_skipped', 'nr_taken', LRU],
    },
    in3: {
      fields:
        'int order; unsigned long nr_requested; unsigned long nr_scanned; unsigned long nr_taken;' +
        'isolate_mode_t isolate_mode; int file',
      print: 'isolate_mode=%d order=%d nr_requested=%lu nr_scanned=%lu nr_taken=%lu file=%d',
      args: ['isolate_mode', 'order', 'nr_requested', 'nr_scanned', 'nr_taken', 'file'],
    },
  },
  {
    event: 'vmscan:mm_vmscan_write_folio',
    fields: 'unsigned long pfn; int reclaim_flags',
    print: 'page=%p pfn=0x%lx flags=%s',
    args: [PAGE_OF_PFN, 'pfn', RECLAIM_FLAGS],
    in3: {
      name: 'mm_vmscan_writepage',
      fields: 'struct page * page; int reclaim_flags',
      print: 'page=%p pfn=%lu flags=%s',
      args: [POINTER_PAGE, PFN_OF_PAGE, RECLAIM_FLAGS],
    },
  },
  {
    event: 'vmscan:mm_vmscan_lru_shrink_inactive',
    fields:
      'int nid; unsigned long nr_scanned; unsigned long nr_reclaimed; unsigned long nr_dirty;' +
      'unsigned long nr_writeback; unsigned long nr_congested; unsigned long nr_immediate;' +
      'unsigned int nr_activate0; unsigned int nr_activate1; unsigned long nr_ref_keep; unsigned long nr_unmap_fail;' +
      'int priority; int reclaim_flags',
    print:
      'nid=%d nr_scanned=%ld nr_reclaimed=%ld nr_dirty=%ld nr_writeback=%ld nr_congested=%ld nr_immediate=%ld ' +
      'nr_activate_anon=%d nr_activate_file=%d nr_ref_keep=%ld nr_unmap_fail=%ld priority=%d flags=%s',
    args: [
      'nid',
      'nr_scanned',
      'nr_reclaimed',
      'nr_dirty',
      'nr_writeback',
      'nr_congested',
      'nr_immediate',
      'nr_activate0',
      'nr_activate1',
      'nr_ref_keep',
      'nr_unmap_fail',
      'priority',
      RECLAIM_FLAGS,
    ],
    in3: {
      fields: 'int nid; int zid; unsigned long nr_scanned; unsigned long nr_reclaimed; int priority; int reclaim_flags',
      print: 'nid=%d zid=%d nr_scanned=%ld nr_reclaimed=%ld priority=%d flags=%s',
      args: ['nid', 'zid', 'nr_scanned', 'nr_reclaimed', 'priority', RECLAIM_FLAGS],
    },
  },
  {
    event: 'vmscan:mm_vmscan_lru_shrink_active',
    fields:
      'int nid; unsigned long nr_taken; unsigned long nr_active; unsigned long nr_deactivated;' +
      'unsigned long nr_referenced; int priority; int reclaim_flags',
    print: 'nid=%d nr_taken=%ld nr_active=%ld nr_deactivated=%ld nr_referenced=%ld priority=%d flags=%s',
    args: ['nid', 'nr_taken', 'nr_active', 'nr_deactivated', 'nr_referenced', 'priority', RECLAIM_FLAGS],
  },
  {
    event: 'vmscan:mm_vmscan_throttled',
    fields: 'int nid; int usec_timeout; int usec_delayed; int reason',
    print: 'nid=%d usec_timeout=%d usect_delayed=%d reason=%s',
    args: ['nid', 'usec_timeout', 'usec_delayed', flags('reason', THROTTLE_FLAGS, 'VMSCAN_THROTTLE_NONE')],
    in3: null,
  },
  { event: 'filemap:mm_filemap_add_to_page_cache', ...PAGE_CACHE },
  { event: 'filemap:mm_filemap_delete_from_page_cache', flags: 'd..2.', ...PAGE_CACHE },
  {
    event: 'pagemap:mm_lru_insertion',
    flags: 'd..2.',
    fields: 'struct folio * folio; unsigned long pfn; enum lru_list lru; unsigned long flags',
    print: 'folio=%p pfn=0x%lx lru=%d flags=%s%s%s%s%s%s',
    args: [POINTER_FOLIO, 'pfn', 'lru', ...LETTERS],
    in3: {
      fields: 'struct page * page; unsigned long pfn; int lru; unsigned long flags',
      print: 'page=%p pfn=%lu lru=%d flags=%s%s%s%s%s%s',
      args: [POINTER_PAGE, 'pfn', 'lru', ...LETTERS],
    },
  },
  {
    event: 'pagemap:mm_lru_activate',
    flags: 'd..2.',
    fields: 'struct folio * folio; unsigned long pfn',
    print: 'folio=%p pfn=0x%lx',
    args: [POINTER_FOLIO, 'pfn'],
    in3: {
      fields: 'struct page * page; unsigned long pfn',
      print: 'page=%p pfn=%lu',
      args: [POINTER_PAGE, 'pfn'],
    },
  },
  {
    event: 'kmem:mm_page_alloc',
    fields: 'unsigned long pfn; unsigned int order; unsigned long gfp_flags; int migratetype',
    print: 'page=%p pfn=0x%lx order=%d migratetype=%d gfp_flags=%s',
    args: [PAGE_OF_PFN, 'pfn', 'order', 'migratetype', GFP],
    in3: {
      fields: 'struct page * page; unsigned int order; gfp_t gfp_flags; int migratetype',
      print: 'page=%p pfn=%lu order=%d migratetype=%d gfp_flags=%s',
      args: [POINTER_PAGE, PFN_OF_PAGE, 'order', 'migratetype', GFP],
    },
  },
  {
    event: 'kmem:mm_page_free',
    fields: 'unsigned long pfn; unsigned int order',
    print: 'page=%p pfn=0x%lx order=%d',
    args: [PAGE_OF_PFN, 'pfn', 'order'],
    in3: {
      fields: 'struct page * page; unsigned int order',
      print: 'page=%p pfn=%lu order=%d',
      args: [POINTER_PAGE, PFN_OF_PAGE, 'order'],
    },
  },
  {
    event: 'kmem:mm_page_alloc_extfrag',
    flags: 'd..2.',
    fields:
      'unsigned long pfn; int alloc_order; int fallback_order; int alloc_migratetype; int fallback_migratetype;' +
      'int change_ownership',
    print:
      'page=%p pfn=0x%lx alloc_order=%d fallback_order=%d pageblock_order=%d alloc_migratetype=%d ' +
      'fallback_migratetype=%d fragmenting=%d change_ownership=%d',
    args: [
      PAGE_OF_PFN,
      'pfn',
      'alloc_order',
      'fallback_order',
      PAGEBLOCK_ORDER,
      'alloc_migratetype',
      'fallback_migratetype',
      FRAGMENTING,
      'change_ownership',
    ],
    in3: {
      fields:
        'struct page * page; int alloc_order; int fallback_order; int alloc_migratetype; int fallback_migratetype;' +
        'int change_ownership',
      print:
        'page=%p pfn=%lu alloc_order=%d fallback_order=%d pageblock_order=%d alloc_migratetype=%d ' +
        'fallback_migratetype=%d fragmenting=%d change_ownership=%d',
      args: [
        POINTER_PAGE,
        PFN_OF_PAGE,
        'alloc_order',
        'fallback_order',
        PAGEBLOCK_ORDER,
        'alloc_migratetype',
        'fallback_migratetype',
        FRAGMENTING,
        'change_ownership',
      ],
    },
  },
  { event: 'exceptions:page_fault_user', flags: 'd....', ...PAGE_FAULT },
  { event: 'exceptions:page_fault_kernel', flags: 'd....', ...PAGE_FAULT },
  {
    event: 'oom:mark_victim',
    flags: '...1.',
    fields:
      'int pid; __data_loc char[] comm; unsigned long total_vm; unsigned long anon_rss; unsigned long file_rss;' +
      'unsigned long shmem_rss; uid_t uid; unsigned long pgtables; short oom_score_adj',
    print:
      'pid=%d comm=%s total-vm=%lukB anon-rss=%lukB file-rss:%lukB shmem-rss:%lukB uid=%u pgtables=%lukB ' +
      'oom_score_adj=%hd',
    args: ['pid', COMM, 'total_vm', 'anon_rss', 'file_rss', 'shmem_rss', 'uid', 'pgtables', 'oom_score_adj'],
    in3: { fields: 'int pid', print: 'pid=%d', args: ['pid'] },
  },
  { event: 'writeback:writeback_pages_written', fields: 'long pages', print: '%ld', args: ['pages'] },
];

const SIZES: Readonly<Record<string, number>> = {
  'unsigned char': 1,
  short: 2,
  int: 4,
  'unsigned int': 4,
  dev_t: 4,
  uid_t: 4,
  gfp_t: 4,
  isolate_mode_t: 4,
  'enum lru_list': 4,
  '__data_loc char[]': 4,
};
const SIGNED = new Set(['int', 'long', 'short']);

/** Every event of an era, in the order in which they are numbered in a binary file. */
export function ftraceEvents(era: FtraceEra): FtraceEvent[] {
  const events: FtraceEvent[] = [];
  for (const row of ROWS) {
    if (era === '3.16' && row.in3 === null) continue;
    const [system = '', name = ''] = row.event.split(':');
    const change = era === '3.16' ? row.in3 : era === '6.1' ? row.in61 : undefined;
    const form = { ...row, ...change };
    const fields = laidOut(form.fields);
    const last = fields.at(-1)!;
    events.push({
      system,
      name: (era === '3.16' ? row.in3?.name : undefined) ?? name,
      key: name,
      flags: row.flags ?? '.....',
      fields,
      // Every record ends where its widest field may begin again.
      bytes: Math.ceil((last.offset + last.bytes) / 4) * 4,
      print: form.print,
      args: form.args.map((arg) => (typeof arg === 'string' ? field(arg) : arg === GFP ? gfpFlags(era) : arg)),
    });
  }
  return events;
}

function gfpFlags(era: FtraceEra): Argument {
  if (era === '3.16') return flags('gfp_flags', GFP_NAMES_3, 'GFP_NOWAIT');
  return flags('gfp_flags', era === '6.1' ? GFP_NAMES_6_1 : GFP_NAMES_6_18, 'none');
}

/** Fields one behind the other, each at a multiple of its size, behind the eight bytes that all records have. */
function laidOut(declarations: string): FtraceField[] {
  let offset = HEADER_BYTES;
  return declarations.split(';').map((text) => {
    const at = text.lastIndexOf(' ');
    const type = text.slice(0, at).trim();
    const bytes = SIZES[type] ?? 8;
    offset = Math.ceil(offset / bytes) * bytes;
    const placed = { type, name: text.slice(at + 1), offset, bytes, signed: SIGNED.has(type) };
    offset += bytes;
    return placed;
  });
}

/** What stands between the conversions of a format string, and the conversions; made once for each event. */
export interface PrintPlan {
  readonly texts: readonly string[];
  readonly conversions: readonly string[];
}

export function printPlan(format: string): PrintPlan {
  const parts = format.split(/(%(?:hd|lld|l[dux]|p[Sfs]?|[dsu]))/);
  return { texts: parts.filter((_, i) => i % 2 === 0), conversions: parts.filter((_, i) => i % 2 === 1) };
}

/** The event's own part of a line, as TP_printk writes it. */
export function printEvent(event: FtraceEvent, plan: PrintPlan, of: FieldValues): string {
  let line = plan.texts[0]!;
  for (let i = 0; i < plan.conversions.length; i++) {
    line += converted(plan.conversions[i]!, event.args[i]!.value(of)) + plan.texts[i + 1]!;
  }
  return line;
}

/** A symbol of user space has no name: its address is printed. Of a function of the kernel only its name is known here. */
function converted(conversion: string, value: FieldValue): string {
  if (typeof value === 'string') return conversion === '%pS' ? `${value}+0x0` : value;
  if (conversion === '%lx') return value.toString(16);
  if (conversion === '%ps' || conversion === '%pf') return `0x${value.toString(16)}`;
  return String(value);
}

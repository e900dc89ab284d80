/**
 * A snapshot without the names in it, so that it can be shown to others.
 *
 * Owns      which names are kept (KEPT), and what a name becomes.
 * Promises  1. No name of a file, program, cgroup or host is left, except those in the lists below; command lines are gone.
 *           2. One name becomes one hash, wherever it stands, so that what was the same file, folder or program still is.
 *           3. Who knows the salt can try names against the hashes; nobody else can. The salt is not in the snapshot.
 *           4. Numbers stay: frames, entries, counts, sizes, times, pids. Numbers of users and of inodes do not.
 *
 *   /home/anna/projects/secret.sqlite  →  /home/9b1c02d4e7f3/51d0c77aa0be/fd2a9e6c1b44.sqlite
 */
import { createHmac } from 'node:crypto';
import type { HostCgroup, HostFile, HostProcess, HostSnapshot, VmaTable } from '../snapshot.ts';
import { encodeName } from '../text.ts';

/** Of 2^48: a host of a million names has two of one hash once in 500 cases. */
const HASH_DIGITS = 12;

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Components of a path that every Linux host has, and the C library's files. */
export const KEPT_NAMES = words(`
  bin boot dev etc home lib lib32 lib64 local mnt opt proc root run sbin share shm srv sys tmp usr var x86_64-linux-gnu
  cache lock log zero null pts ld-linux-x86-64.so.2 libc.so.6 libm.so.6 libgcc_s.so.1 libstdc++.so.6
  system.slice user.slice machine.slice init.scope
`);
/** What a name may end with and still say nothing. */
export const KEPT_ENDINGS = words(`
  a bin c conf cpp csv dat data db gz h html jar java jpg js json ko log md mjs mo node o pdf png py rs sh so sql sqlite tar
  toml ts txt wasm xml yaml yml zip zst service scope slice socket mount
`);
/** Names in brackets, or that begin with a word of the kernel's. */
const KEPT_WHOLE =
  /^(\[(heap|stack(:\d+)?|vdso|vvar|vvar_vclock|vsyscall|uprobes|aio)\]|anon_inode:\[?(eventfd|eventpoll|io_uring|perf_event|pidfd|secretmem|signalfd|timerfd|userfaultfd|bpf-map|bpf-prog|kvm-vm|kvm-vcpu:\d+)\]?|(socket|pipe|inode):\[?\d+\]?|)$/;
/** Kernel threads that every host has; others are named after disks and drivers. */
const KEPT_THREADS =
  /^(kthreadd|kswapd\d*|kcompactd\d*|khugepaged|ksmd|khungtaskd|kauditd|oom_reaper|writeback|kdevtmpfs|rcu_\w+|ksoftirqd|migration|idle_inject|cpuhp|kworker|pool_workqueue_release)$/;
/** Of the whole host, and only numbers under the kernel's own names. */
const KEPT_TEXTS = words('meminfo vmstat zoneinfo buddyinfo pagetypeinfo uptime');
const KEPT_SLABS =
  /^(#|slabinfo|kmalloc(-\w+)*-\d+[kM]?|(dentry|inode_cache|buffer_head|vm_area_struct|mm_struct|anon_vma|anon_vma_chain|radix_tree_node|maple_node|task_struct|filp|vmap_area|shmem_inode_cache|proc_inode_cache|kernfs_node_cache|ext4_inode_cache|xfs_inode)$)/;

export function redactSnapshot(snapshot: HostSnapshot, salt: string | Uint8Array): HostSnapshot {
  return new Redaction(salt).snapshot(snapshot);
}

class Redaction {
  private readonly salt: string | Uint8Array;
  private readonly known = new Map<string, string>();

  constructor(salt: string | Uint8Array) {
    this.salt = salt;
  }

  snapshot(old: HostSnapshot): HostSnapshot {
    const dropped = [...old.texts.keys()].filter((name) => this.text(name, '') === null);
    return {
      ...old,
      ...this.names(old),
      kernel: /^\d+(\.\d+)*/.exec(old.kernel)?.[0] ?? '',
      hostname: '',
      redacted: true,
      texts: this.texts(old.texts),
      processes: old.processes.map((process) => this.process(process)),
      files: old.files.map((file) => this.file(file)),
      cgroups: old.cgroups.map((cgroup) => this.cgroup(cgroup)),
      missing: [
        // Mostly a word of ours, as `pagemap`.
        ...old.missing.map((one) => (one.what.includes('/') ? { ...one, what: this.path(one.what) } : one)),
        ...dropped.map((what) => ({ what, why: 'redacted', count: 1 })),
      ],
    };
  }

  /** The strings that VMAs name, without those that nobody names. */
  private names({ vmas, vmFlags, strings }: HostSnapshot): {
    vmas: VmaTable;
    vmFlags: Uint32Array | null;
    strings: string[];
  } {
    const rows = new Map<string, number>();
    const row = (text: string) => {
      if (!rows.has(text)) rows.set(text, rows.size);
      return rows.get(text)!;
    };
    return {
      vmas: { ...vmas, name: vmas.name.map((at) => row(this.areaName(strings[at]!))) },
      vmFlags: vmFlags?.map((at) => row(/^([a-z]{2} ?)*$/.test(strings[at]!) ? strings[at]! : '')) ?? null,
      strings: [...rows.keys()],
    };
  }

  private process(process: HostProcess): HostProcess {
    return {
      ...process,
      comm: this.comm(process),
      command: null,
      uid: process.uid === 0 ? 0 : Number(this.number(`uid ${process.uid}`, 6)),
      cgroup: this.path(process.cgroup),
    };
  }

  private comm({ comm, isKernelThread }: HostProcess): string {
    if (!isKernelThread) return this.component(comm);
    const name = /^[^/:]*/.exec(comm)![0];
    return KEPT_THREADS.test(name) ? name : this.component(comm);
  }

  private file(file: HostFile): HostFile {
    return {
      ...file,
      inode: this.number(`inode ${file.device} ${file.inode}`, HASH_DIGITS),
      path: this.path(file.path),
    };
  }

  private cgroup({ inode, path, texts }: HostCgroup): HostCgroup {
    // Files of other controllers have names of devices and folders.
    const kept = [...texts].filter(([name]) => /^memory\.[a-z_.]+$/.test(name));
    return { inode, path: this.path(path), texts: new Map(kept.map(([name, text]) => [name, numbersOnly(text)])) };
  }

  private texts(old: ReadonlyMap<string, string>): Map<string, string> {
    const texts = new Map<string, string>();
    for (const [name, text] of old) {
      const kept = this.text(name, text);
      if (kept !== null) texts.set(name, kept);
    }
    return texts;
  }

  /** Null for a file that nobody looked through for names. */
  private text(name: string, text: string): string | null {
    if (KEPT_TEXTS.has(name)) return text;
    const head = (line: string) => /^\S*/.exec(line)![0];
    const lines = (renamed: (word: string) => string) =>
      text
        .split('\n')
        .map((line) => renamed(head(line)) + line.slice(head(line).length))
        .join('\n');
    if (name === 'swaps') return lines((word) => (word === 'Filename' ? word : this.path(word)));
    if (name === 'slabinfo') return lines((word) => (KEPT_SLABS.test(word) ? word : this.component(word)));
    return null;
  }

  /** The last column of maps. */
  private areaName(name: string): string {
    const anonymous = /^\[(anon|anon_shmem):(.*)\]$/s.exec(name);
    return anonymous === null ? this.path(name) : `[${anonymous[1]}:${this.component(anonymous[2]!)}]`;
  }

  private path(path: string): string {
    if (KEPT_WHOLE.test(path)) return path;
    const deleted = path.endsWith(' (deleted)') ? ' (deleted)' : '';
    const name = path.slice(0, path.length - deleted.length);
    return (
      name
        .split('/')
        .map((part) => this.component(part))
        .join('/') + deleted
    );
  }

  private component(name: string): string {
    if (name === '' || name === '.' || name === '..' || KEPT_NAMES.has(name)) return name;
    const prefix = /^memfd:/.exec(name)?.[0] ?? '';
    const ending = /\.([a-z0-9]+)(?:\.\d+)*$/.exec(name);
    const kept = ending !== null && KEPT_ENDINGS.has(ending[1]!) ? `.${ending[1]}` : '';
    return `${prefix}${this.hash(`name ${name.slice(prefix.length)}`)}${kept}`;
  }

  private number(text: string, digits: number): string {
    return String(Number.parseInt(this.hash(text).slice(0, digits), 16));
  }

  private hash(text: string): string {
    let known = this.known.get(text);
    if (known === undefined) {
      known = createHmac('sha256', this.salt).update(encodeName(text)).digest('hex').slice(0, HASH_DIGITS);
      this.known.set(text, known);
    }
    return known;
  }
}

/** As control files of memory are: lines of a word and numbers (`anon 5`, `file N0=5`), or a number or `max`; '' for any other. */
function numbersOnly(text: string): string {
  const isRight = text.split('\n').every((line) => {
    const [first = '', ...rest] = line.split(' ');
    const isWord = rest.length > 0 ? /^\w+$/ : /^(\d+|max|)$/;
    return isWord.test(first) && rest.every((number) => /^(\w+=)?(\d+|max)$/.test(number));
  });
  return isRight ? text : '';
}

/** What a line did, in words short enough to stand behind it. */
import type { Outcome } from '../../../src/view/program.ts';

/** Reasons as calls of a memory program give them. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'the file was not opened for that',
  EAGAIN: 'not now: a limit, or locked pages',
  EBADF: 'no such descriptor',
  EBUSY: 'in use',
  EEXIST: 'something is mapped there',
  EFAULT: 'no memory of the process there',
  EFBIG: 'larger than a file may be',
  EINVAL: 'an argument that cannot be',
  EIO: 'the disk failed',
  EMFILE: 'too many descriptors',
  ENODEV: 'the file cannot be mapped',
  ENOENT: 'no such file',
  ENOMEM: 'not mapped, or no memory for it',
  ENOSPC: 'no room left',
  ENOSYS: 'this kernel has no such call',
  ENXIO: 'nothing there',
  EOPNOTSUPP: 'the file system cannot do that',
  EOVERFLOW: 'beyond what a file can have',
  EPERM: 'not permitted',
  ESPIPE: 'no file that has places',
  ETXTBSY: 'it is being executed',
};

const SIGNALS: Readonly<Record<string, string>> = {
  SEGV_MAPERR: 'nothing is mapped there',
  SEGV_ACCERR: 'the region forbids it',
  BUS_ADRERR: 'behind the end of the file',
};

export interface Said {
  readonly text: string;
  /** A refusal, a signal, an end that was not asked for. */
  readonly isBad: boolean;
}

export function said(outcome: Outcome): Said {
  const { ret, err, sig, code = '', addr, exit, died, skipped, vec } = outcome;
  const faults = faultsOf(outcome);
  if (skipped === true) return { text: 'left out: no such process lives, or no such call', isBad: true };
  if (died === true) return { text: 'killed: there was no memory left', isBad: true };
  if (exit === true) return { text: 'ended', isBad: false };
  if (sig !== undefined) return { text: `${sig} at ${addr}: ${SIGNALS[code] ?? code}`, isBad: true };
  if (err !== undefined) return { text: `${err}: ${REASONS[err] ?? 'refused'}`, isBad: true };
  const result = vec === undefined ? `= ${ret}` : `= ${ret}, ${vec}`;
  return { text: faults === '' ? result : `${result}, ${faults}`, isBad: false };
}

function faultsOf({ minflt = 0, majflt = 0 }: Outcome): string {
  const all = minflt + majflt;
  if (all === 0) return '';
  const count = `${all} fault${all === 1 ? '' : 's'}`;
  return majflt === 0 ? count : `${count} (${majflt} from disk)`;
}

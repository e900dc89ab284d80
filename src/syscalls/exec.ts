/**
 * execve: a new program in an old process.
 *
 * Owns      what of an ELF file matters to memory, and the order in which the kernel reads, maps and touches it.
 * Promises  1. A program that cannot be started leaves the old one as it was; once the old one is gone, failure kills.
 *           2. Every page that the kernel itself touches is touched: headers, arguments, the ends of .bss, the vectors on the stack.
 * Linux     6.18 fs/exec.c: bprm_mm_init get_arg_page setup_arg_pages begin_new_exec; fs/binfmt_elf.c: load_elf_binary
 *           elf_load padzero create_elf_tables load_elf_interp
 *
 *   stack   end ─► 8 zero bytes │ file name │ environment │ arguments │ random bytes, platform │ auxv, envp, argv ◄─ sp
 *
 * DIFFERS: [vdso] and [vvar] are not mapped; a user sees two or three regions fewer, none of which is charged.
 *          The stack is made where it ends up, not moved there.
 */
import { E2BIG, ENOENT, ENOEXEC, ENOMEM, ETXTBSY, type SysResult } from '../mm/errno.ts';
import { openInode, putFile } from '../mm/file.ts';
import { filemapRead } from '../mm/filemap.ts';
import { mmPut, newMm } from '../mm/fork.ts';
import type { File } from '../mm/fs.ts';
import { faultinPageRange } from '../mm/gup.ts';
import type { Machine } from '../mm/machine.ts';
import { makeWritable } from '../mm/memory.ts';
import { type Mm, TASK_SIZE } from '../mm/mm.ts';
import { doMmap, doMunmap, expandStack, vmEnoughMemory, vmStatAccount } from '../mm/mmap.ts';
import { MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE } from '../mm/uapi.ts';
import { addrOf, PAGE_SIZE, type Pgoff, type Vaddr, type Vpn, vpnOf } from '../mm/units.ts';
import {
  VM_ACCOUNT,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYWRITE,
  VM_READ,
  VM_WRITE,
} from '../mm/vm_flags.ts';
import type { Vma } from '../mm/vma.ts';
import { newVma } from '../mm/vma_merge.ts';
import { mmapBase } from './layout.ts';
import { allowWriteAccess, denyWriteAccess, type Paths } from './paths.ts';
import type { Process } from './process.ts';

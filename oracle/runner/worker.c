/*
 * A process of the program. It waits for its turn, does one call, and says what came of it.
 *
 * Nothing here may fault while a call is counted: before each call every page that is the runner's own (text, data, stack,
 * the shared area) is touched, so that all faults in between are the call's. So no allocation and no stdio in this file.
 */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/prctl.h>

static struct { unsigned long start, end; bool writable; } own[64];
static int owns;
static int me, answered;
static sigjmp_buf back;
static char signal_stack[65536];

/* Memory of the runner in this process: everything that is mapped. The arena is empty now. */
static void find_own_memory(void) {
  static char maps[65536];
  int fd = open("/proc/self/maps", O_RDONLY);
  size_t len = 0;
  for (ssize_t n; len < sizeof maps - 1 && (n = read(fd, maps + len, sizeof maps - 1 - len)) > 0;) len += (size_t)n;
  close(fd);
  maps[len] = 0;
  owns = 0;
  for (char *s = maps, *next; *s; s = next) {
    next = strchr(s, '\n');
    *next++ = 0;
    char *rest;
    unsigned long start = strtoul(s, &rest, 16), end = strtoul(rest + 1, &rest, 16);
    if (strstr(rest, "[vdso]") || strstr(rest, "[vvar")) munmap((void *)start, end - start);
    else if (end < 1ul << 47) {
      own[owns].start = start;
      own[owns].end = end;
      own[owns++].writable = rest[2] == 'w';
    }
  }
  COMM->own_areas = owns;
}

static void touch_own_memory(void) {
  for (int i = 0; i < owns; i++)
    for (unsigned long at = own[i].start; at < own[i].end; at += PAGE_BYTES) {
      volatile char *byte = (volatile char *)at;
      if (own[i].writable) *byte = *byte;
      else (void)*byte;
    }
}

/* Fields of /proc/self/stat, counted from 1. */
static unsigned long stat_field(const char *stat, int field) {
  const char *s = strrchr(stat, ')');
  for (int at = 2; s && at < field; at++) s = strchr(s + 1, ' ');
  return s ? strtoul(s + 1, NULL, 10) : 0;
}

/* Moves the program break; everything else of the map stays. */
static int move_brk(unsigned long brk) {
  static char stat[4096];
  int fd = open("/proc/self/stat", O_RDONLY);
  ssize_t len = read(fd, stat, sizeof stat - 1);
  close(fd);
  if (len <= 0) return -1;
  struct prctl_mm_map map = {
    .start_code = stat_field(stat, 26), .end_code = stat_field(stat, 27), .start_stack = stat_field(stat, 28),
    .start_data = stat_field(stat, 45), .end_data = stat_field(stat, 46), .start_brk = brk, .brk = brk,
    .arg_start = stat_field(stat, 48), .arg_end = stat_field(stat, 49), .env_start = stat_field(stat, 50),
    .env_end = stat_field(stat, 51), .exe_fd = (unsigned)-1,
  };
  return prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0);
}

static void on_signal(int sig, siginfo_t *info, void *context) {
  (void)context;
  COMM->sig = sig;
  COMM->code = info->si_code;
  COMM->addr = (unsigned long)info->si_addr;
  siglongjmp(back, 1);
}

static void turn_over(void) {
  __atomic_store_n(&COMM->done, COMM->seq, __ATOMIC_SEQ_CST);
  syscall(SYS_futex, &COMM->done, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void wait_for_turn(void) {
  for (;;) {
    int seq = __atomic_load_n(&COMM->seq, __ATOMIC_SEQ_CST);
    if (seq != answered && COMM->turn == me) {
      answered = seq;
      return;
    }
    syscall(SYS_futex, &COMM->seq, FUTEX_WAIT_BITSET, seq, NULL, NULL, TURN_BIT(me));
  }
}

/* One access to each page of the range: at addr itself, then at the start of each later page. */
static long touch(unsigned long addr, unsigned long len, int byte) {
  static volatile long done;
  done = 0;
  if (sigsetjmp(back, 0)) return done;
  for (unsigned long at = addr; at < addr + len; at = (at & -PAGE_BYTES) + PAGE_BYTES) {
    volatile char *to = (volatile char *)at;
    if (byte < 0) (void)*to;
    else *to = (char)byte;
    done = done + 1;
  }
  return done;
}

/* FNV-1a of the bytes; how many were read if a signal came first. */
static long check(unsigned long addr, unsigned long len) {
  volatile unsigned long at = addr;
  if (sigsetjmp(back, 0)) return (long)(at - addr);
  uint32_t hash = 2166136261u;
  for (; at < addr + len; at = at + 1) hash = (hash ^ *(volatile unsigned char *)at) * 16777619u;
  return hash;
}

static void finish(const struct rusage *before, long ret) {
  struct rusage after;
  int error = errno;
  syscall(SYS_getrusage, RUSAGE_SELF, &after);
  struct comm *c = COMM;
  c->ret = ret;
  c->err = ret == -1 ? error : 0;
  c->minflt = after.ru_minflt - before->ru_minflt;
  c->majflt = after.ru_majflt - before->ru_majflt;
}

/* What the program locked of it too would fill the batches in which its own pages are unlocked at exit. */
static void unlock_own_memory(void) {
  for (int i = 0; i < owns; i++) munlock((void *)own[i].start, own[i].end - own[i].start);
}

static void serve(void) {
  struct comm *c = COMM;
  const long *a = c->arg;
  struct rusage before;
  c->sig = 0;
  touch_own_memory();
  if (c->call == CALL_EXIT) unlock_own_memory();
  syscall(SYS_fadvise64, FD_DRAIN, 0, 0, POSIX_FADV_DONTNEED);
  syscall(SYS_getrusage, RUSAGE_SELF, &before);
  errno = 0;
#define DO(name, ...) finish(&before, syscall(SYS_##name, __VA_ARGS__)); return
  switch (c->call) {
    case CALL_MMAP: DO(mmap, a[0], a[1], a[2], a[3], a[4], a[5]);
    case CALL_MUNMAP: DO(munmap, a[0], a[1]);
    case CALL_MPROTECT: DO(mprotect, a[0], a[1], a[2]);
    case CALL_MREMAP: DO(mremap, a[0], a[1], a[2], a[3], a[4]);
    case CALL_MADVISE: DO(madvise, a[0], a[1], a[2]);
    case CALL_MLOCK: DO(mlock, a[0], a[1]);
    case CALL_MLOCK2: DO(mlock2, a[0], a[1], a[2]);
    case CALL_MUNLOCK: DO(munlock, a[0], a[1]);
    case CALL_MLOCKALL: DO(mlockall, a[0]);
    case CALL_MUNLOCKALL: DO(munlockall, 0);
    case CALL_MSYNC: DO(msync, a[0], a[1], a[2]);
    case CALL_MINCORE: DO(mincore, a[0], a[1], c->vec);
    case CALL_BRK: DO(brk, a[0]);
    case CALL_REMAP_FILE_PAGES: DO(remap_file_pages, a[0], a[1], a[2], a[3], a[4]);
    case CALL_MEMFD_CREATE: DO(memfd_create, c->path, a[1]);
    case CALL_OPEN: DO(open, c->path, a[0], 0644);
    case CALL_CLOSE: DO(close, a[0]);
    case CALL_DUP: DO(dup, a[0]);
    case CALL_UNLINK: DO(unlink, c->path);
    case CALL_READ: DO(read, a[0], a[1], a[2]);
    case CALL_WRITE: DO(write, a[0], a[1], a[2]);
    case CALL_PREAD64: DO(pread64, a[0], a[1], a[2], a[3]);
    case CALL_PWRITE64: DO(pwrite64, a[0], a[1], a[2], a[3]);
    case CALL_LSEEK: DO(lseek, a[0], a[1], a[2]);
    case CALL_FTRUNCATE: DO(ftruncate, a[0], a[1]);
    case CALL_FALLOCATE: DO(fallocate, a[0], a[1], a[2], a[3]);
    case CALL_FSYNC: DO(fsync, a[0]);
    case CALL_FDATASYNC: DO(fdatasync, a[0]);
    case CALL_FADVISE64: DO(fadvise64, a[0], a[1], a[2], a[3]);
    case CALL_LOAD: finish(&before, touch((unsigned long)a[0], (unsigned long)a[1], -1)); return;
    case CALL_STORE: finish(&before, touch((unsigned long)a[0], (unsigned long)a[1], (int)a[2] & 0xff)); return;
    case CALL_CHECK: finish(&before, check((unsigned long)a[0], (unsigned long)a[1])); return;
    case CALL_EXIT: syscall(SYS_exit_group, 0); return;
    case CALL_FORK: {
      int child = c->child;
      long pid = syscall(SYS_fork);
      if (pid != 0) {
        finish(&before, pid);
        return;
      }
      me = child;
      return;
    }
    default: finish(&before, 0);
  }
#undef DO
}

void worker_main(void) {
  if (mmap(COMM, sizeof *COMM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, FD_COMM, 0) != COMM) _exit(1);
  close(FD_COMM);
  stack_t stack = { .ss_sp = signal_stack, .ss_size = sizeof signal_stack };
  sigaltstack(&stack, NULL);
  struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  find_own_memory();
  if (COMM->brk != 0 && move_brk(COMM->brk) != 0) _exit(2);
  touch_own_memory();
  answered = COMM->seq;
  turn_over();
  for (;;) {
    wait_for_turn();
    int was = me;
    serve();
    if (was == me) turn_over();
  }
}

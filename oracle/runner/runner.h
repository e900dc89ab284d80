/*
 * The runner: memory programs (.mmp) on the kernel that is running, recorded as .rec (oracle/corpus/FORMAT.md).
 *
 *   program.c   the text of a program, as calls
 *   host.c      what a program stands on: settings of the kernel, files, swap
 *   worker.c    a process of the program: does one call when its turn comes, counts its faults
 *   observe.c   what the kernel shows of all processes and files: snapshots
 *   main.c      takes programs one by one, call by call, and writes the recording
 *
 * One process of the runner directs; every process of the program is a worker. They share one area of memory (struct
 * comm, outside the arena), where a call is laid down and its result comes back. Exactly one of them runs at any time.
 */
#ifndef RUNNER_H
#define RUNNER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define PAGE_BYTES 4096ul
#define ARENA_START 0x100000000000ul
#define ARENA_END 0x200000000000ul
/* Puts mmap_base at ARENA_END: task size less this limit less the gap of 1 MiB. */
#define RLIMIT_STACK_BYTES 0x5fffffeff000ul

/* program.c */

enum call {
  CALL_SKIPPED,
  CALL_MMAP, CALL_MUNMAP, CALL_MPROTECT, CALL_MREMAP, CALL_MADVISE, CALL_MLOCK, CALL_MLOCK2, CALL_MUNLOCK, CALL_MLOCKALL,
  CALL_MUNLOCKALL, CALL_MSYNC, CALL_MINCORE, CALL_BRK, CALL_REMAP_FILE_PAGES, CALL_MEMFD_CREATE, CALL_OPEN, CALL_OPENAT,
  CALL_CLOSE, CALL_DUP, CALL_UNLINK, CALL_READ, CALL_WRITE, CALL_PREAD64, CALL_PWRITE64, CALL_LSEEK, CALL_FTRUNCATE,
  CALL_FALLOCATE, CALL_FSYNC, CALL_FDATASYNC, CALL_FADVISE64, CALL_FORK, CALL_EXIT, CALL_LOAD, CALL_STORE, CALL_CHECK,
  CALL_SWAPON, CALL_SWAPOFF,
  CALL_SNAPSHOT,
};

#define MAX_ARGS 8
#define MAX_TEXT 256

enum arg_kind { ARG_NUMBER, ARG_TEXT, ARG_OUTSIDE };

struct arg {
  enum arg_kind kind;
  long value;
  char text[MAX_TEXT];
};

struct step {
  enum call call;
  int line;
  const char *text; /* as the recording repeats it; not terminated */
  int text_len;
  long proc;
  long label; /* the number behind '=', or -1 */
  int args;
  struct arg arg[MAX_ARGS];
};

struct program_file {
  char name[MAX_TEXT];
  long pages;
  bool shm, cached;
  int fd; /* held by the director, so that the file outlives its name */
};

#define MAX_FILES 32

struct program {
  const char *path, *name;
  char *source;
  long snapshot_every; /* 0: only at `snapshot` lines */
  long swap_mib;
  unsigned long brk;
  int files;
  struct program_file file[MAX_FILES];
  int steps;
  struct step *step;
};

/* Reads a program. On an error says FILE:LINE: why on stderr and returns false. */
bool program_read(struct program *p, const char *path);
void program_free(struct program *p);

/* comm: what the director and the workers share */

#define COMM_ADDR 0x300000000000ul
#define COMM_DATA_BYTES (4ul << 20)
#define COMM_VEC_BYTES (256ul << 10)
/* Descriptors of the runner, above those that programs open. */
#define FD_DRAIN 1000
#define FD_COMM 1001
/* Who is woken: of a thousand that wait, only every 32nd. */
#define TURN_BIT(number) (1u << ((number) & 31))

struct comm {
  int seq;        /* counts requests; the worker `turn` answers when it changes (futex) */
  int turn;
  int done;       /* the last request that was answered (futex) */
  enum call call;
  long arg[MAX_ARGS];
  int child;      /* fork: the child's number */
  char path[4096];
  unsigned long brk;
  int own_areas;  /* of the runner, in each process */
  /* the answer */
  long ret;
  int err;        /* errno, 0 is success */
  int sig, code;
  unsigned long addr;
  long minflt, majflt;
  unsigned char vec[COMM_VEC_BYTES];
  unsigned char data[COMM_DATA_BYTES];
};
#define COMM ((struct comm *)COMM_ADDR)

/* worker.c */

/* Life of process 1; its forks never leave this function either. */
void worker_main(void);

/* host.c */

extern char host_disk_dir[], host_shm_dir[];
extern char host_kernel[64];

/* Makes settings what a program expects and folders for its files; says why not and returns false if it cannot. */
bool host_enter(const char *disk_dir);
/* Puts everything back. Safe to call twice. */
void host_leave(void);
/* Reason why this machine cannot run the program, or NULL. */
const char *host_lacks(const struct program *p);
bool host_make_files(struct program *p);
void host_remove_files(struct program *p);
/* A fresh area, on or off. 0 or -errno. The first one finds swap readahead as on a machine that has swapped at random for long. */
int host_first_swapon(long mib);
int host_swapon(long mib);
int host_swapoff(void);
/* The limit of areas is the program's: the runner's own are allowed on top. */
bool host_allow_areas(int own);
/* Puts what waits in this CPU's LRU batches on the lists. */
void host_drain(void);
void host_path(const struct program *p, const char *name, char *path, size_t size);

/* observe.c */

struct text {
  char *at;
  size_t len, cap;
};
void text_add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_json(struct text *t, const char *s, int len);
void text_reset(struct text *t);

/* How many anon_vmas and links to them the whole kernel has: `\tKIND N` each. */
void observe_objects(struct text *out);

#define MAX_FDS 256

struct descriptor {
  long label;
  int fd;
  bool memfd;
};

/* A process of the program, as the director knows it. */
struct actor {
  long label;
  pid_t pid;
  int number; /* of its turn */
  int pidfd, smaps, pagemap;
  int fds;
  struct descriptor fd[MAX_FDS];
  struct text before; /* what the last snapshot said of it */
};

bool observe_open(struct actor *a);
bool maps_zero_page(void);
void observe_close(struct actor *a);
void observe_reset(void);
/* Why a snapshot since then is not whole, or NULL. */
extern const char *observe_trouble;
/* One snapshot line. */
void observe_snapshot(struct text *out, const struct program *p, struct actor **actors, int count, int op);
/* Frames of a range that are present now: up to `max` of them. */
int observe_frames(const struct actor *a, unsigned long addr, unsigned long len, unsigned long *pfn, int max);
/* Waits until none of them is under writeback. */
void observe_settle(const unsigned long *pfn, int count);

#endif

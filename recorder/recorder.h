/* What the files of the recorder share, and the layout of the two kinds of files that revmap reads. */
#ifndef RECORDER_H
#define RECORDER_H

#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>

/* End of user space: 47 bits less 12. */
#define USER_PAGES (1ull << 35)

/* What could not be recorded. */
enum {
    UNSEEN_LOST = 1 << 0,        /* a chunk could not be made */
    UNSEEN_NATIVE = 1 << 1,      /* a program for another architecture was exec'ed */
    UNSEEN_SETUID = 1 << 2,      /* a set-user-ID program was exec'ed */
    UNSEEN_IO_URING = 1 << 3,    /* io_uring_setup */
    UNSEEN_SHM = 1 << 4,         /* shmat */
    UNSEEN_USERFAULTFD = 1 << 5, /* userfaultfd */
    UNSEEN_FOREIGN = 1 << 6,     /* ptrace, process_vm_writev */
    UNSEEN_VDSO = 1 << 7,        /* the time was asked for by a system call */
    UNSEEN_VECTORS = 1 << 8,     /* readv, sendmsg, …: buffers that only memory tells */
    UNSEEN_SHARED_FILE = 1 << 9, /* a file mapped with MAP_SHARED and PROT_WRITE */
};

/* The file `control`. Offsets are read by src/record/spool.ts. */
struct control {
    _Atomic uint64_t clock;    /* 0: accesses of all, and stamps */
    _Atomic uint64_t accesses; /* 8: in whole ticks, for progress */
    _Atomic uint64_t calls;    /* 16 */
    _Atomic uint32_t chunks;   /* 24: numbers given to chunks */
    _Atomic uint32_t images;   /* 28: numbers given to programs */
    _Atomic uint32_t ready;     /* 32: chunks handed over, ever */
    _Atomic uint32_t stop;      /* 36: revmap wants all to stand still */
    _Atomic uint32_t unseen;    /* 40: UNSEEN_ */
    uint32_t unused;            /* 44 */
    _Atomic uint32_t taken;     /* 48: chunks that revmap has read; revmap writes it */
    _Atomic int32_t owner;      /* 52: the process id of revmap; revmap writes it */
};

/* A file `chunk.N` or `ready.N`. */
struct chunk {
    int32_t pid;               /* 0 */
    int32_t tid;               /* 4 */
    int32_t parent;            /* 8 */
    uint32_t unused;           /* 12 */
    uint64_t clock;            /* 16: at its beginning */
    uint64_t last_clock;       /* 24 */
    uint64_t events;           /* 32: accesses in it */
    _Atomic uint64_t length;   /* 40: of the body */
    uint64_t counts[3];        /* 48: blocks of instructions, reads, writes */
    uint64_t instructions;     /* 72 */
    unsigned char body[];      /* 80 */
};

extern struct control *control;
extern char folder[PATH_MAX], plugin_path[PATH_MAX], qemu_path[PATH_MAX];

/* recorder.c */
void record_inherited_files(void);
/* image.c: writes `image.N`; the file of the program that runs; pages that QEMU put there and Linux would not */
void describe_image(unsigned number);
extern char program_path[PATH_MAX];
extern uint64_t hidden_from, hidden_to;
/* exec.c: returns only if the call will fail, or starts a program that cannot be recorded */
void follow_exec(int64_t nr, const uint64_t *arguments);
extern unsigned window_pages;

#endif

/*
 * Records the pages that a program uses, from inside qemu-x86_64 (user mode): each memory access and each system call comes by
 * here; what a window of the last pages does not hold is written down, in format 2 of docs/recording.md.
 *
 * Owns      what is left out, the order between threads and processes, and the way of the bytes out of here.
 * Promises  1. A thread writes into a chunk of its own, a file in memory: the hot path takes no lock and makes no call.
 *           2. A chunk is whole after each event, so a process may be killed at any point.
 *           3. No descriptor stays open: a program may close all of them.
 *           4. A program that the program execs is recorded too, if it is for x86-64.
 *
 *     in the folder    control     shared by all: the clock, counts, a request to stop
 *                      chunk.N     the chunk that a thread writes into now; when it is full it becomes
 *                      ready.M     M counts them without a gap, so revmap takes a thread's chunks in their order
 *                      image.N     what a program looked like before its first instruction (image.c)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "plugin_api.h"
#include "recorder.h"

EXPORT int qemu_plugin_version = 1;

#define CHUNK_BYTES (256 * 1024)
/* The longest event: two paths and their lengths; and some. */
#define CHUNK_MARGIN (2 * PATH_MAX + 256)
#define TICK_ACCESSES 65536
#define MOST_WINDOW 4096
/* Younger than some headers. */
enum { SYS_io_uring_setup_ = 425, SYS_clone3_ = 435, SYS_openat2_ = 437 };
/* How many full chunks may wait for revmap before we wait, too. */
#define MOST_READY 512

enum { FETCH = 0, READ = 1, WRITE = 2 };
enum { END = 0, TICK = 1, SYSCALL = 4, PATH = 5, CHUNK = 6, CLOCK = 7, FILE_EVENT = 8, IMAGE = 9 };
/* Classes of the window: reads and fetches are one. */
enum { SEEN_READ = 1, SEEN_WRITE = 2 };

struct control *control;
char folder[PATH_MAX];
unsigned window_pages = 32;
static int process_id, parent_id;
/* The program that this process runs, by its number among all. */
static unsigned image_number;
static bool image_is_described;
/* Counts changes of this process's mappings, and how many threads it has had. */
static _Atomic unsigned mapping_epoch;
static _Atomic unsigned thread_count;
/* Held from the entry of a call that changes mappings to its return, so that they are written in the order in which they were made. */
static pthread_mutex_t mapping_lock = PTHREAD_MUTEX_INITIALIZER;

struct thread {
    /* The page that was used last by each kind of access: it is in the window, with the kind's class. */
    uint64_t last[3];
    /* How many accesses of each kind there were (a block of instructions is one fetch), and at how many the next tick is due. */
    uint64_t counts[3];
    uint64_t instructions;
    uint64_t next_tick;
    /* The access before: instruction and kind, where, and how many blocks had begun. */
    uint64_t before_key, before_address, before_block;
    /* The same when the chunk was opened. */
    uint64_t counts_before[3], instructions_before;
    /* Of all kinds, how many are behind the last tick and the last stamp. */
    uint64_t ticked, stamped;
    struct chunk *chunk;
    unsigned char *at, *limit;
    uint64_t previous;
    /* The clock as it is written in the body, and as we left it. */
    uint64_t written_clock, left_clock;
    unsigned epoch;
    unsigned chunk_number;
    int tid;
    bool in_call, holds_mapping_lock;
    int64_t call_number;
    uint64_t arguments[6];
    char path[PATH_MAX];
    bool path_is_known;
    /* The last pages, the latest first, and their classes in the low bits. */
    unsigned pages;
    uint64_t window[MOST_WINDOW];
};

static __thread struct thread *me __attribute__((tls_model("initial-exec")));

/* ---- the body ---- */

static void put(struct thread *t, uint64_t v) {
    unsigned char *at = t->at;
    while (v >= 128) {
        *at++ = v | 128;
        v >>= 7;
    }
    *at++ = v;
    t->at = at;
}

static void put_event(struct thread *t, unsigned code) {
    put(t, code << 2 | 3);
}

static void put_text(struct thread *t, unsigned code, const char *text) {
    size_t length = strnlen(text, PATH_MAX - 1);
    put_event(t, code);
    put(t, length);
    memcpy(t->at, text, length);
    t->at += length;
}

static void publish_counts(struct thread *t) {
    for (int kind = FETCH; kind <= WRITE; kind++) t->chunk->counts[kind] = t->counts[kind] - t->counts_before[kind];
    t->chunk->instructions = t->instructions - t->instructions_before;
}

/* What is written so far counts. */
static void publish(struct thread *t) {
    atomic_store_explicit(&t->chunk->length, t->at - t->chunk->body, memory_order_release);
}

static uint64_t accesses(const struct thread *t) {
    return t->counts[FETCH] + t->counts[READ] + t->counts[WRITE];
}

/* Moves the global clock by what this thread did since its last stamp; returns it. No two stamps are alike. */
static uint64_t advance_clock(struct thread *t, uint64_t *before) {
    uint64_t made = accesses(t) - t->stamped;
    t->stamped += made;
    *before = atomic_fetch_add(&control->clock, made + 1);
    return *before + made + 1;
}

static void open_chunk(struct thread *t) {
    char name[PATH_MAX + 32];
    t->chunk_number = atomic_fetch_add(&control->chunks, 1);
    snprintf(name, sizeof name, "%s/chunk.%u", folder, t->chunk_number);
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    void *memory = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, CHUNK_BYTES) == 0) memory = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0) close(fd);
    if (memory == MAP_FAILED) {
        /* The folder is out of reach (chroot), or full: what follows of this thread is lost, and revmap says so. */
        atomic_fetch_or(&control->unseen, UNSEEN_LOST);
        memory = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) abort();
    }
    t->chunk = memory;
    t->at = t->chunk->body;
    t->limit = (unsigned char *)memory + CHUNK_BYTES - CHUNK_MARGIN;
    t->previous = 0;
    uint64_t before;
    t->left_clock = t->written_clock = advance_clock(t, &before);
    memcpy(t->counts_before, t->counts, sizeof t->counts);
    t->instructions_before = t->instructions;
    t->chunk->pid = process_id;
    t->chunk->tid = t->tid;
    t->chunk->parent = parent_id;
    t->chunk->clock = t->chunk->last_clock = t->written_clock;
    put_event(t, CHUNK);
    put(t, t->written_clock);
    publish(t);
}

static bool revmap_is_gone(void) {
    return kill(atomic_load(&control->owner), 0) != 0 && errno == ESRCH;
}

static void close_chunk(struct thread *t) {
    char from[PATH_MAX + 32], to[PATH_MAX + 32];
    snprintf(from, sizeof from, "%s/chunk.%u", folder, t->chunk_number);
    publish_counts(t);
    munmap(t->chunk, CHUNK_BYTES);
    t->chunk = NULL;
    if (revmap_is_gone()) {
        unlink(from);
        return;
    }
    snprintf(to, sizeof to, "%s/ready.%u", folder, atomic_fetch_add(&control->ready, 1));
    rename(from, to);
    while (atomic_load(&control->ready) - atomic_load(&control->taken) > MOST_READY && !revmap_is_gone()) usleep(2000);
}

static void freeze(void) {
    for (;;) pause();
}

/* A place in time: other threads may have run since the last one. */
static void stamp(struct thread *t) {
    if (atomic_load_explicit(&control->stop, memory_order_relaxed)) freeze();
    uint64_t before;
    uint64_t now = advance_clock(t, &before);
    if (before != t->left_clock) {
        put_event(t, CLOCK);
        put(t, now - t->written_clock);
        t->written_clock = now;
        t->chunk->last_clock = now;
        publish(t);
    }
    t->left_clock = now;
    publish_counts(t);
    t->epoch = atomic_load(&mapping_epoch);
}

static void make_room(struct thread *t) {
    if (t->at < t->limit) return;
    close_chunk(t);
    open_chunk(t);
}

static void put_tick(struct thread *t) {
    uint64_t now = accesses(t);
    put_event(t, TICK);
    put(t, now - t->ticked);
    t->ticked = now;
    publish(t);
}

static void forget_window(struct thread *t) {
    t->pages = 0;
    t->last[FETCH] = t->last[READ] = t->last[WRITE] = UINT64_MAX;
}

static void tick(struct thread *t) {
    make_room(t);
    put_tick(t);
    t->next_tick = accesses(t) + TICK_ACCESSES;
    atomic_fetch_add_explicit(&control->accesses, TICK_ACCESSES, memory_order_relaxed);
    /* Pages in constant use are written down at least once a tick: whoever ages pages must see that they are used. */
    forget_window(t);
    stamp(t);
}

static struct thread *start_thread(void) {
    struct thread *t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (t == MAP_FAILED) abort();
    forget_window(t);
    t->next_tick = TICK_ACCESSES;
    t->tid = syscall(SYS_gettid);
    t->epoch = atomic_load(&mapping_epoch);
    atomic_fetch_add(&thread_count, 1);
    me = t;
    open_chunk(t);
    return t;
}

static inline struct thread *self(void) {
    struct thread *t = me;
    return __builtin_expect(t != NULL, 1) ? t : start_thread();
}

/* ---- accesses ---- */

/* Puts the page in front of the window; true if it was not there with this class. */
static bool touch(struct thread *t, uint64_t page, unsigned seen) {
    uint64_t *window = t->window;
    uint64_t carried = page << 2 | seen;
    unsigned n = t->pages;
    for (unsigned i = 0; i < n; i++) {
        uint64_t here = window[i];
        window[i] = carried;
        if (here >> 2 == page) {
            window[0] = here | seen;
            return (here & seen) == 0;
        }
        carried = here;
    }
    if (n < window_pages) {
        window[n] = carried;
        t->pages = n + 1;
        return true;
    }
    /* `carried` fell out. */
    for (int kind = FETCH; kind <= WRITE; kind++) {
        if (t->last[kind] == carried >> 2) t->last[kind] = UINT64_MAX;
    }
    return true;
}

static __attribute__((noinline)) void access_page(struct thread *t, uint64_t page, int kind) {
    unsigned seen = kind == WRITE ? SEEN_WRITE : SEEN_READ;
    uint64_t left = t->last[kind];
    /* Until now this kind of access was on another page: that one was used last. */
    if (left != UINT64_MAX) touch(t, left, seen);
    t->last[kind] = page;
    if (!touch(t, page, seen)) return;
    if (page >= USER_PAGES || (page >= hidden_from && page < hidden_to)) return;
    make_room(t);
    if (t->epoch != atomic_load_explicit(&mapping_epoch, memory_order_relaxed)) stamp(t);
    int64_t delta = page - t->previous;
    t->previous = page;
    put(t, (uint64_t)(delta << 1 ^ delta >> 63) << 2 | kind);
    t->chunk->events++;
    publish(t);
}

/* QEMU 7.2 does not tell reads from writes when it chooses callbacks, so there is one for both. */
static void on_access(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *insn) {
    struct thread *t = self();
    int kind = qemu_plugin_mem_is_store(info) ? WRITE : READ;
    uint64_t page = address >> 12;
    uint64_t key = (uint64_t)insn << 2 | kind;
    /* QEMU makes what is wider than 8 bytes in pieces of 8; it counts once. */
    if (key != t->before_key || address != t->before_address + 8 || t->counts[FETCH] != t->before_block) {
        t->counts[kind]++;
        t->before_key = key;
        t->before_block = t->counts[FETCH];
    }
    t->before_address = address;
    if (page != t->last[kind]) access_page(t, page, kind);
    /* Only the widest accesses reach over the end of a page. */
    if (__builtin_expect((address & 4095) > 4096 - 64, 0)) {
        uint64_t end = (address + (1u << qemu_plugin_mem_size_shift(info)) - 1) >> 12;
        if (end != page) access_page(t, end, kind);
    }
}

/* A block of instructions begins: its page, and in the low bits how many they are. */
static void on_block(unsigned int vcpu, void *packed) {
    struct thread *t = self();
    uint64_t page = (uint64_t)packed >> 12;
    if (page != t->last[FETCH]) access_page(t, page, FETCH);
    t->counts[FETCH]++;
    t->instructions += (uint64_t)packed & 4095;
    if (accesses(t) >= t->next_tick) tick(t);
}

/* An instruction that reaches into the next page. */
static void on_next_page(unsigned int vcpu, void *packed) {
    access_page(self(), (uint64_t)packed, FETCH);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    if (!image_is_described) {
        /* The first thread is alone until its first instruction runs. */
        image_is_described = true;
        describe_image(image_number);
        struct thread *t = self();
        if (image_number > 0) {
            put_event(t, IMAGE);
            put(t, image_number);
            publish(t);
        } else {
            record_inherited_files();
        }
    }
    size_t count = qemu_plugin_tb_n_insns(tb);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t address = qemu_plugin_insn_vaddr(insn);
        uint64_t end = address + qemu_plugin_insn_size(insn) - 1;
        if (i == 0) {
            void *packed = (void *)((address & ~4095ull) | count);
            qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, packed);
        }
        if (end >> 12 != address >> 12) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_next_page, QEMU_PLUGIN_CB_NO_REGS, (void *)(end >> 12));
        }
        qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, (void *)address);
    }
}

/* ---- system calls ---- */

static void put_call(struct thread *t, int64_t nr, const uint64_t *arguments, int64_t ret) {
    put_event(t, SYSCALL);
    put(t, nr);
    for (int i = 0; i < 6; i++) put(t, arguments[i]);
    put(t, ret);
}

static bool is_kernel_file(int fd) {
    struct statfs fs;
    if (fstatfs(fd, &fs) != 0) return true;
    switch ((uint32_t)fs.f_type) {
    case 0x9fa0:     /* proc */
    case 0x62656572: /* sysfs */
    case 0x63677270: /* cgroup2 */
    case 0x27e0eb:   /* cgroup */
    case 0x64626720: /* debugfs */
    case 0x74726163: /* tracefs */
        return true;
    }
    return false;
}

static bool is_in_memory(int fd) {
    struct statfs fs;
    return fstatfs(fd, &fs) == 0 && (uint32_t)fs.f_type == 0x01021994;
}

/* What a descriptor that was just opened is: its path, if it has one, and the file. */
static void put_opened(struct thread *t, int fd, const char *fallback) {
    char link[64], path[PATH_MAX];
    struct stat st;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    bool known = length > 0 && path[0] == '/';
    if (known) path[length] = '\0';
    put_text(t, PATH, known ? path : fallback);
    if (fstat(fd, &st) != 0) return;
    unsigned kind = !S_ISREG(st.st_mode) || is_kernel_file(fd) ? 2 : is_in_memory(fd) ? 1 : 0;
    put_event(t, FILE_EVENT);
    put(t, kind);
    put(t, (uint64_t)major(st.st_dev) << 20 | minor(st.st_dev));
    put(t, st.st_ino);
    put(t, kind == 2 ? 0 : st.st_size);
}

/* Files that were open before the program began: written as if it opened them and went to where they stood. */
void record_inherited_files(void) {
    struct thread *t = self();
    for (int fd = 0; fd < 256; fd++) {
        struct stat st;
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) continue;
        int64_t at = lseek(fd, 0, SEEK_CUR);
        make_room(t);
        put_opened(t, fd, "");
        put_call(t, SYS_openat, (uint64_t[6]){AT_FDCWD, 0, flags & (O_ACCMODE | O_APPEND)}, fd);
        if (at > 0) put_call(t, SYS_lseek, (uint64_t[6]){fd, at, SEEK_SET}, at);
        publish(t);
    }
}

static bool changes_mappings(int64_t nr) {
    return nr == SYS_mmap || nr == SYS_munmap || nr == SYS_mremap || nr == SYS_brk || nr == SYS_mprotect ||
           nr == SYS_madvise || nr == SYS_remap_file_pages;
}

/* After it a page may be another one, or need a copy of its own: it must be written down again. */
static bool changes_pages(int64_t nr) {
    return changes_mappings(nr) || nr == SYS_clone || nr == SYS_fork || nr == SYS_vfork || nr == SYS_clone3_;
}

/* Calls that take a name from a file, or give it one; where their arguments are. */
struct naming {
    int64_t nr;
    int folder, name, new_folder, new_name;
};
static const struct naming *naming_of(int64_t nr) {
    static const struct naming calls[] = {
        {SYS_unlink, -1, 0, -1, -1},  {SYS_unlinkat, 0, 1, -1, -1}, {SYS_rename, -1, 0, -1, 1},
        {SYS_renameat, 0, 1, 2, 3},   {SYS_renameat2, 0, 1, 2, 3},  {SYS_link, -1, 0, -1, 1},
        {SYS_linkat, 0, 1, 2, 3},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (calls[i].nr == nr) return &calls[i];
    }
    return NULL;
}

/* The path of a regular file as an open of it would have been written. `folder`: argument of its folder, -1 for the current one. */
static bool path_of_file(const uint64_t *a, int folder_at, int name_at, char *path) {
    const char *name = (const char *)a[name_at];
    int folder_fd = folder_at < 0 ? AT_FDCWD : (int)a[folder_at];
    char whole[PATH_MAX * 2];
    struct stat st;
    if (fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) return false;
    if (name[0] == '/' || folder_fd == AT_FDCWD) snprintf(whole, sizeof whole, "%s", name);
    else snprintf(whole, sizeof whole, "/proc/self/fd/%d/%s", folder_fd, name);
    return realpath(whole, path) != NULL;
}

static void note_unseen(int64_t nr, const uint64_t *a) {
    unsigned bits = 0;
    switch (nr) {
    case SYS_io_uring_setup_:
        bits = UNSEEN_IO_URING;
        break;
    case SYS_shmat:
        bits = UNSEEN_SHM;
        break;
    case SYS_userfaultfd:
        bits = UNSEEN_USERFAULTFD;
        break;
    case SYS_ptrace:
    case SYS_process_vm_writev:
        bits = UNSEEN_FOREIGN;
        break;
    case SYS_clock_gettime:
    case SYS_gettimeofday:
    case SYS_time:
    case SYS_getcpu:
        bits = UNSEEN_VDSO;
        break;
    case SYS_readv:
    case SYS_writev:
    case SYS_preadv:
    case SYS_pwritev:
    case SYS_recvmsg:
    case SYS_sendmsg:
        bits = UNSEEN_VECTORS;
        break;
    case SYS_mmap:
        if ((a[2] & PROT_WRITE) != 0 && (a[3] & (MAP_SHARED | MAP_ANONYMOUS)) == MAP_SHARED) bits = UNSEEN_SHARED_FILE;
    }
    if (bits != 0 && (atomic_load_explicit(&control->unseen, memory_order_relaxed) & bits) == 0) {
        atomic_fetch_or(&control->unseen, bits);
    }
}

static void on_call(qemu_plugin_id_t id, unsigned int vcpu, int64_t nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                    uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
    struct thread *t = self();
    uint64_t a[6] = {a1, a2, a3, a4, a5, a6};
    memcpy(t->arguments, a, sizeof a);
    t->call_number = nr;
    t->in_call = true;
    t->path_is_known = false;
    atomic_fetch_add_explicit(&control->calls, 1, memory_order_relaxed);
    make_room(t);
    stamp(t);
    note_unseen(nr, a);
    if (nr == SYS_exit || nr == SYS_exit_group) {
        if (accesses(t) > t->ticked) put_tick(t);
        put_call(t, nr, a, 0);
        publish(t);
        if (nr == SYS_exit) {
            close_chunk(t);
            munmap(t, sizeof *t);
            me = NULL;
        }
    } else if (nr == SYS_execve || nr == SYS_execveat) {
        /* If this succeeds we are gone, and the new program goes on in a chunk of its own. */
        if (accesses(t) > t->ticked) put_tick(t);
        close_chunk(t);
        follow_exec(nr, a);
        open_chunk(t);
    } else if (naming_of(nr) != NULL) {
        t->path_is_known = path_of_file(a, naming_of(nr)->folder, naming_of(nr)->name, t->path);
    } else if (changes_mappings(nr)) {
        pthread_mutex_lock(&mapping_lock);
        t->holds_mapping_lock = true;
    }
}

static void on_return(qemu_plugin_id_t id, unsigned int vcpu, int64_t nr, int64_t ret) {
    struct thread *t = me;
    /* A child after its fork, or a call that will be made again after a signal, or that returned from one. */
    if (t == NULL || !t->in_call || t->call_number != nr) return;
    t->in_call = false;
    bool written = ret != -512 && ret != -513;
    if (written) {
        make_room(t);
        stamp(t);
        const uint64_t *a = t->arguments;
        if (nr == SYS_open || nr == SYS_creat || nr == SYS_openat || nr == SYS_openat2_) {
            const char *name = (const char *)(nr == SYS_open || nr == SYS_creat ? a[0] : a[1]);
            if (ret >= 0) put_opened(t, ret, name);
            else if (ret != -EFAULT) put_text(t, PATH, name);
        } else if (t->path_is_known) {
            char path[PATH_MAX];
            const struct naming *naming = naming_of(nr);
            put_text(t, PATH, t->path);
            if (naming->new_name >= 0 && ret == 0 && path_of_file(a, naming->new_folder, naming->new_name, path)) {
                put_text(t, PATH, path);
            }
        }
        put_call(t, nr, a, ret);
        publish(t);
        if (changes_pages(nr)) forget_window(t);
    }
    if (t->holds_mapping_lock) {
        t->holds_mapping_lock = false;
        if (atomic_load(&thread_count) > 1) t->epoch = atomic_fetch_add(&mapping_epoch, 1) + 1;
        pthread_mutex_unlock(&mapping_lock);
    }
}

/* ---- processes ---- */

/* In the child of a fork: the one thread that it has begins anew. What its parent had not handed over stays the parent's. */
static void after_fork(void) {
    struct thread *t = me;
    parent_id = process_id;
    process_id = getpid();
    pthread_mutex_init(&mapping_lock, NULL);
    atomic_store(&thread_count, 1);
    if (t == NULL) return;
    if (t->chunk != NULL) munmap(t->chunk, CHUNK_BYTES);
    t->tid = process_id;
    t->in_call = t->holds_mapping_lock = false;
    forget_window(t);
    t->ticked = t->stamped = accesses(t);
    t->next_tick = t->ticked + TICK_ACCESSES;
    open_chunk(t);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "folder=", 7) == 0) snprintf(folder, sizeof folder, "%s", argv[i] + 7);
        if (strncmp(argv[i], "window=", 7) == 0) window_pages = atoi(argv[i] + 7);
        if (strncmp(argv[i], "plugin=", 7) == 0) snprintf(plugin_path, sizeof plugin_path, "%s", argv[i] + 7);
        if (strncmp(argv[i], "qemu=", 5) == 0) snprintf(qemu_path, sizeof qemu_path, "%s", argv[i] + 5);
    }
    if (window_pages < 1 || window_pages > MOST_WINDOW) return 1;
    char name[PATH_MAX + 32];
    snprintf(name, sizeof name, "%s/control", folder);
    int fd = open(name, O_RDWR | O_CLOEXEC);
    if (fd < 0) return 1;
    control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (control == MAP_FAILED) return 1;
    process_id = getpid();
    parent_id = getppid();
    image_number = atomic_fetch_add(&control->images, 1);
    pthread_atfork(NULL, NULL, after_fork);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_vcpu_syscall_cb(id, on_call);
    qemu_plugin_register_vcpu_syscall_ret_cb(id, on_return);
    return 0;
}

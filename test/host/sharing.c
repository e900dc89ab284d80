/*
 * Builds known sharing of pages, says what it built, and keeps it until its standard input ends.
 *
 *     sharing KIND [PATH]
 *
 * Prints one line of JSON: pages, each with a process and an address that map it and every (process, address) that does.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define HUGE (2UL << 20)
#define MOST 16

static pid_t children[MOST];
static int count;
static int ready[2];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static char *map(size_t length, int protection, int flags, int fd)
{
	char *at = mmap(NULL, length, protection, flags, fd, 0);
	if (at == MAP_FAILED)
		fail("mmap");
	return at;
}

static char *anonymous(int pages)
{
	char *at = map((size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	madvise(at, (size_t)pages * PAGE, MADV_NOHUGEPAGE);
	for (int i = 0; i < pages; i++)
		memset(at + i * PAGE, 'a' + i, PAGE);
	return at;
}

/* A child has said that it is done, with the address that it has to tell. */
static void done(void *address)
{
	if (write(ready[1], &address, sizeof address) != sizeof address)
		_exit(1);
	for (;;)
		pause();
}

static void *wait_for_child(void)
{
	void *address;
	if (read(ready[0], &address, sizeof address) != sizeof address)
		fail("child");
	return address;
}

/* In the child: 0. */
static pid_t child(void)
{
	pid_t pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	else
		children[count++] = pid;
	return pid;
}

static int first = 1;

static void page_begin(const char *what, pid_t pid, const void *at)
{
	printf("%s{\"what\":\"%s\",\"pid\":%d,\"address\":%lu,\"mappers\":[", first ? "" : ",", what, pid,
	       (unsigned long)at);
	first = 0;
}

static void page(const char *what, int n, const pid_t *pids, char *const *at)
{
	page_begin(what, pids[0], at[0]);
	for (int i = 0; i < n; i++)
		printf("%s[%d,%lu]", i ? "," : "", pids[i], (unsigned long)at[i]);
	printf("]}");
}

#define PAGE_OF(what, ...)                                                                                             \
	do {                                                                                                           \
		struct { pid_t pid; char *at; } list[] = { __VA_ARGS__ };                                              \
		int n = sizeof list / sizeof *list;                                                                    \
		pid_t pids[MOST];                                                                                      \
		char *at[MOST];                                                                                        \
		for (int i = 0; i < n; i++)                                                                            \
			pids[i] = list[i].pid, at[i] = list[i].at;                                                     \
		page(what, n, pids, at);                                                                               \
	} while (0)

static void forks(void)
{
	pid_t self = getpid();
	char *at = anonymous(4);
	pid_t writer = child();
	if (writer == 0) {
		at[PAGE] = 'x';
		done(at);
	}
	wait_for_child();
	pid_t reader = child();
	if (reader == 0)
		done(at);
	wait_for_child();
	/* A child of a child: the page has come through two forks. */
	pid_t middle = child();
	if (middle == 0) {
		pid_t below = fork();
		if (below == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			at[2 * PAGE] = 'y';
			done((void *)(uintptr_t)getpid());
		}
		for (;;)
			pause();
	}
	pid_t below = (pid_t)(uintptr_t)wait_for_child();
	PAGE_OF("never written again", {self, at}, {writer, at}, {reader, at}, {middle, at}, {below, at});
	PAGE_OF("written by a child: the old one", {self, at + PAGE}, {reader, at + PAGE}, {middle, at + PAGE},
		{below, at + PAGE});
	PAGE_OF("written by a child: its copy", {writer, at + PAGE});
	PAGE_OF("written by a grandchild: its copy", {below, at + 2 * PAGE});
	at[3 * PAGE] = 'z';
	PAGE_OF("written by the parent: its copy", {self, at + 3 * PAGE});
	PAGE_OF("written by the parent: the old one", {writer, at + 3 * PAGE}, {reader, at + 3 * PAGE},
		{middle, at + 3 * PAGE}, {below, at + 3 * PAGE});
}

static int file_of(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		fail(path);
	char block[PAGE];
	for (int i = 0; i < 4; i++) {
		memset(block, 'f' + i, PAGE);
		if (write(fd, block, PAGE) != PAGE)
			fail("write");
	}
	return fd;
}

/* Shared and private mappings, twice in one process, at other offsets, and copies. */
static void file_pages(int fd)
{
	pid_t self = getpid();
	int both = PROT_READ | PROT_WRITE;
	char *shared = map(4 * PAGE, both, MAP_SHARED, fd);
	char *again = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
	for (int i = 0; i < 4; i++)
		shared[i * PAGE] = (char)i;
	volatile char sink = again[0] + again[PAGE];
	pid_t reader = child();
	if (reader == 0) {
		/* File pages have no entries after a fork: they come with the access. */
		char *mine = map(4 * PAGE, both, MAP_PRIVATE, fd);
		sink = mine[0] + mine[PAGE];
		mine[3 * PAGE] = 'c';
		done(mine);
	}
	char *mine = wait_for_child();
	sink = shared[PAGE];
	(void)sink;
	PAGE_OF("shared by one, private and only read by another", {self, shared}, {reader, mine});
	PAGE_OF("twice in one process", {self, shared + PAGE}, {self, again}, {reader, mine + PAGE});
	PAGE_OF("a private copy", {reader, mine + 3 * PAGE});
}

static void with_file(const char *path)
{
	file_pages(file_of(path));
}

static void deleted(const char *path)
{
	int fd = file_of(path);
	unlink(path);
	file_pages(fd);
}

static void memfd(void)
{
	int fd = memfd_create("a name", 0);
	if (fd < 0 || ftruncate(fd, 4 * PAGE) != 0)
		fail("memfd");
	file_pages(fd);
}

static void shared_anonymous(void)
{
	pid_t self = getpid();
	char *at = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
	at[0] = 1;
	pid_t other = child();
	if (other == 0) {
		at[0] = 2;
		done(at);
	}
	wait_for_child();
	PAGE_OF("written by both", {self, at}, {other, at});
}

static void sysv(void)
{
	pid_t self = getpid();
	int id = shmget(IPC_PRIVATE, 2 * PAGE, 0600 | IPC_CREAT);
	char *at = shmat(id, NULL, 0);
	if (id < 0 || at == (void *)-1)
		fail("shm");
	char *twice = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	at[0] = 1;
	twice[0] = 2;
	pid_t other = child();
	if (other == 0) {
		at[0] = 3;
		done(at);
	}
	wait_for_child();
	/* The child touched one of the two, and inherits no entries of shared memory. */
	PAGE_OF("attached twice, and by a child", {self, at}, {self, twice}, {other, at});
}

static void moved(void)
{
	pid_t self = getpid();
	char *at = anonymous(2);
	pid_t mover = child();
	if (mover == 0) {
		char *room = map(2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		char *now = mremap(at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room);
		done(now);
	}
	char *now = wait_for_child();
	PAGE_OF("moved by a child", {self, at}, {mover, now});
	PAGE_OF("asked at its new place", {mover, now + PAGE}, {self, at + PAGE});
}

static void locked(void)
{
	char *at = anonymous(1);
	if (mlock(at, PAGE) != 0)
		fail("mlock");
	PAGE_OF("locked", {getpid(), at});
}

static void huge(int flags)
{
	pid_t self = getpid();
	char *at = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		fail("mmap");
	at = (char *)(((uintptr_t)at + HUGE - 1) & ~(HUGE - 1));
	madvise(at, HUGE, MADV_HUGEPAGE);
	memset(at, 'h', HUGE);
	pid_t other = child();
	if (other == 0) {
		volatile char sink = at[5 * PAGE];
		(void)sink;
		done(at);
	}
	wait_for_child();
	PAGE_OF("the first page", {self, at}, {other, at});
	PAGE_OF("a page inside", {self, at + 5 * PAGE}, {other, at + 5 * PAGE});
}

static int idle(void *at)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	done(at);
	return 0;
}

/* Another process, the same address space: one entry for both. */
static void one_mm(void)
{
	char *at = anonymous(1);
	char *stack = anonymous(16);
	pid_t other = clone(idle, stack + 16 * PAGE, CLONE_VM | SIGCHLD, at);
	if (other < 0)
		fail("clone");
	children[count++] = other;
	wait_for_child();
	PAGE_OF("one address space", {getpid(), at}, {other, at});
}

/* Equal pages, which KSM makes one; the test waits for it. */
static void ksm(void)
{
	pid_t self = getpid();
	char *at = anonymous(3);
	/* Content that nobody else has. */
	for (int i = 0; i < 3; i++) {
		memset(at + i * PAGE, 0x5a, PAGE);
		memcpy(at + i * PAGE, &self, sizeof self);
	}
	if (madvise(at, 3 * PAGE, MADV_MERGEABLE) != 0)
		fail("madvise");
	PAGE_OF("merged", {self, at}, {self, at + PAGE}, {self, at + 2 * PAGE});
}

static void swapped(void)
{
	char *at = anonymous(64);
	pid_t other = child();
	if (other == 0)
		done(at);
	wait_for_child();
	/* Twice: what was just used is spared the first time. */
	for (int i = 0; i < 2; i++)
		madvise(at, 64 * PAGE, MADV_PAGEOUT);
	PAGE_OF("swapped out", {getpid(), at}, {other, at});
}

/* Addresses where there is no frame, or one that all have. */
static void places(const char *path)
{
	pid_t self = getpid();
	char *none = map(PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *untouched = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *zero = map(PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *hole = map(3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *file = map(PAGE, PROT_READ, MAP_SHARED, file_of(path));
	munmap(hole + PAGE, PAGE);
	madvise(zero, PAGE, MADV_NOHUGEPAGE);
	volatile char sink = *(volatile char *)zero;
	(void)sink;
	PAGE_OF("PROT_NONE", {self, none});
	PAGE_OF("untouched", {self, untouched});
	PAGE_OF("zero page", {self, zero});
	PAGE_OF("hole", {self, hole + PAGE});
	PAGE_OF("file", {self, file});
}

/* What a busy host does: processes come, map, write and go, all the time. */
static void busy(const char *path)
{
	int fd = file_of(path);
	for (int i = 0; i < 4; i++) {
		if (child() != 0)
			continue;
		for (;;) {
			char *at = anonymous(32);
			char *shared = map(4 * PAGE, PROT_READ, MAP_SHARED, fd);
			volatile char sink = shared[0];
			(void)sink;
			pid_t pid = fork();
			if (pid == 0) {
				for (int page = 0; page < 32; page += 2)
					at[page * PAGE] = 1;
				usleep(2000);
				_exit(0);
			}
			usleep(1000);
			munmap(shared, 4 * PAGE);
			if (pid > 0)
				waitpid(pid, NULL, 0);
			munmap(at, 32 * PAGE);
		}
	}
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	const char *path = argc > 2 ? argv[2] : "";
	if (pipe(ready) != 0)
		fail("pipe");
	printf("[");
	fflush(stdout);
	if (strcmp(kind, "fork") == 0)
		forks();
	else if (strcmp(kind, "file") == 0)
		with_file(path);
	else if (strcmp(kind, "deleted") == 0)
		deleted(path);
	else if (strcmp(kind, "memfd") == 0)
		memfd();
	else if (strcmp(kind, "shared") == 0)
		shared_anonymous();
	else if (strcmp(kind, "sysv") == 0)
		sysv();
	else if (strcmp(kind, "moved") == 0)
		moved();
	else if (strcmp(kind, "locked") == 0)
		locked();
	else if (strcmp(kind, "thp") == 0)
		huge(MAP_PRIVATE);
	else if (strcmp(kind, "hugetlb") == 0)
		huge(MAP_SHARED | MAP_HUGETLB);
	else if (strcmp(kind, "one_mm") == 0)
		one_mm();
	else if (strcmp(kind, "ksm") == 0)
		ksm();
	else if (strcmp(kind, "swap") == 0)
		swapped();
	else if (strcmp(kind, "places") == 0)
		places(path);
	else if (strcmp(kind, "busy") == 0)
		busy(path);
	else {
		fprintf(stderr, "no such kind: %s\n", kind);
		return 2;
	}
	printf("]\n");
	fflush(stdout);
	char end;
	while (read(0, &end, 1) > 0)
		;
	for (int i = 0; i < count; i++)
		kill(children[i], SIGKILL);
	return 0;
}

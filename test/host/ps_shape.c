/*
 * A program of known shape: what it maps, and what of it goes when it exits. Linked statically, and without the vDSO, so that
 * no other program shares any page with it.
 *
 *   own        32 MiB  anonymous                          freed
 *   inherited   8 MiB  anonymous, its child maps it too   stays until both are gone
 *   huge        8 MiB  the first halves of eight huge     freed, with the halves that are not mapped any more
 *                      pages
 *   file        6 MiB  of FILE, read                      becomes cache
 *   twice       1 MiB  of FILE once more, elsewhere       no USS any more: two entries for each page
 *   memfd       5 MiB  no descriptor left                 freed with its file
 *   shm         3 MiB  of SHM, a file in tmpfs            stays
 *
 * The child has 2 MiB of its own. The parent writes a line with both pids, and a line on stdin ends it; the child is to be killed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB (1024UL * 1024)
#define HUGE (2 * MIB)
#define PAGE 4096UL

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	_exit(3);
}

static char *mapped(size_t bytes, int prot, int flags, int fd)
{
	char *at = mmap(NULL, bytes, prot, flags, fd, 0);

	must(at != MAP_FAILED, "mmap");
	return at;
}

static char *anonymous(size_t bytes)
{
	char *at = mapped(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	madvise(at, bytes, MADV_NOHUGEPAGE);
	return at;
}

static void written(char *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += PAGE)
		at[i] = (char)(i / PAGE + 1);
}

static void touched(volatile const char *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += PAGE)
		(void)at[i];
}

static void filled(int fd, size_t bytes)
{
	static char block[64 * 1024];

	memset(block, 'x', sizeof block);
	for (size_t done = 0; done < bytes; done += sizeof block)
		must(write(fd, block, sizeof block) == sizeof block, "write");
}

/* Eight huge pages, if the kernel gives them; then the second half of each is unmapped. */
static void huge(void)
{
	char *room = mapped(9 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *at = (char *)(((unsigned long)room + HUGE - 1) & ~(HUGE - 1));

	must(mprotect(at, 8 * HUGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
	madvise(at, 8 * HUGE, MADV_HUGEPAGE);
	written(at, 8 * HUGE);
	for (int i = 0; i < 8; i++)
		must(mmap(at + i * HUGE + HUGE / 2, HUGE / 2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
			     MAP_FAILED, "mmap");
}

int main(int argc, char **argv)
{
	char *inherited, *vdso = (char *)getauxval(AT_SYSINFO_EHDR);
	int fd, talk[2], child;
	char c;

	must(argc == 3, "usage: ps_shape FILE SHM");
	if (vdso)
		munmap(vdso, 2 * PAGE);

	inherited = anonymous(8 * MIB);
	written(inherited, 8 * MIB);

	must(pipe(talk) == 0, "pipe");
	child = fork();
	must(child >= 0, "fork");
	if (child == 0) {
		written(anonymous(2 * MIB), 2 * MIB);
		must(write(talk[1], "c", 1) == 1, "write");
		/* If nobody kills it. */
		alarm(300);
		pause();
		_exit(0);
	}
	must(read(talk[0], &c, 1) == 1, "read");

	written(anonymous(32 * MIB), 32 * MIB);
	huge();

	fd = open(argv[1], O_CREAT | O_RDWR | O_TRUNC, 0600);
	must(fd >= 0, argv[1]);
	filled(fd, 6 * MIB);
	must(fsync(fd) == 0, "fsync");
	touched(mapped(6 * MIB, PROT_READ, MAP_SHARED, fd), 6 * MIB);
	touched(mapped(1 * MIB, PROT_READ, MAP_SHARED, fd), 1 * MIB);
	close(fd);

	fd = memfd_create("shape", 0);
	must(fd >= 0 && ftruncate(fd, 5 * MIB) == 0, "memfd");
	written(mapped(5 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd), 5 * MIB);
	close(fd);

	fd = open(argv[2], O_CREAT | O_RDWR | O_TRUNC, 0600);
	must(fd >= 0 && ftruncate(fd, 3 * MIB) == 0, argv[2]);
	written(mapped(3 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd), 3 * MIB);
	close(fd);

	printf("%d %d\n", getpid(), child);
	fflush(stdout);
	must(read(0, &c, 1) >= 0, "read");
	_exit(0);
}

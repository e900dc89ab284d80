/*
 * Address spaces of known shape, until standard input ends. Prints the pids, its own first.
 *
 *   share   a second process in the same address space (clone with CLONE_VM), and a forked child
 *   huge    4 TiB that nobody may touch, then 1 TiB of which the first, the middle and the last page are there;
 *           prints the address of the latter behind the pid
 *   scattered N   16 GiB of which N pages are there, at equal distances; prints the same
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define TIB (1ul << 40)
#define PAGE 4096ul
#define SCATTERED (16ul << 30)

static int wait_for_signal(void *unused)
{
	(void)unused;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
	return 0;
}

static void *reserved(unsigned long bytes, int prot)
{
	return mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

int main(int argc, char **argv)
{
	static char stack[1 << 16];
	char byte;

	if (argc == 2 && strcmp(argv[1], "share") == 0) {
		int twin = clone(wait_for_signal, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
		int child = fork();

		if (child == 0)
			wait_for_signal(NULL);
		printf("%d %d %d\n", getpid(), twin, child);
	} else if (argc == 3 && strcmp(argv[1], "scattered") == 0) {
		unsigned long pages = strtoul(argv[2], NULL, 10), step = SCATTERED / PAGE / pages * PAGE;
		char *at = reserved(SCATTERED, PROT_READ | PROT_WRITE);

		if (at == MAP_FAILED)
			return 1;
		madvise(at, SCATTERED, MADV_NOHUGEPAGE);
		for (unsigned long i = 0; i < pages; i++)
			at[i * step] = 1;
		printf("%d %lu\n", getpid(), (unsigned long)at / PAGE);
	} else {
		char *none = reserved(4 * TIB, PROT_NONE);
		char *sparse = reserved(TIB, PROT_READ | PROT_WRITE);

		if (none == MAP_FAILED || sparse == MAP_FAILED)
			return 1;
		sparse[0] = sparse[TIB / 2] = sparse[TIB - 1] = 1;
		printf("%d %lu\n", getpid(), (unsigned long)sparse / PAGE);
	}
	fflush(stdout);
	while (read(0, &byte, 1) > 0) {
	}
	return 0;
}

/*
 * Swap that two processes hold: 2 MiB of anonymous memory go out before a fork, so both page tables have an entry for each
 * slot, and the child takes half of it back by writing; 3 of 4 MiB of shared anonymous memory go out after it.
 * Writes both pids and waits to be killed.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB (1024UL * 1024)
#define PAGE 4096UL

static char *mapped(size_t bytes, int flags)
{
	char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		exit(3);
	madvise(at, bytes, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < bytes; i += PAGE)
		at[i] = (char)(i / PAGE + 1);
	return at;
}

int main(void)
{
	char *own = mapped(2 * MIB, MAP_PRIVATE), *shared = mapped(4 * MIB, MAP_SHARED);
	int talk[2], child;
	char c;

	/* What is not out yet when we ask the first time goes when it is asked again. */
	for (int i = 0; i < 20; i++) {
		madvise(own, 2 * MIB, MADV_PAGEOUT);
		usleep(50000);
	}
	if (pipe(talk) != 0)
		exit(3);
	child = fork();
	if (child == 0) {
		alarm(300);
		for (size_t i = 0; i < MIB; i += PAGE)
			own[i] = 7;
		if (write(talk[1], "c", 1) == 1)
			pause();
		_exit(0);
	}
	if (child < 0 || read(talk[0], &c, 1) != 1)
		exit(3);
	for (int i = 0; i < 20; i++) {
		madvise(shared, 3 * MIB, MADV_PAGEOUT);
		usleep(50000);
	}
	printf("%d %d\n", getpid(), child);
	fflush(stdout);
	alarm(300);
	pause();
	return 0;
}

/*
 * Holds memory that the page cache counts as files without names, until its standard input ends.
 *
 *     memfd       10 pages written, 3 of them mapped
 *     shared      a shared anonymous mapping of 20 pages, 5 of them touched
 *     attached    a segment of System V shared memory of 8 pages, all touched; its id is printed
 *     detached    the same of 6 pages, not attached
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

enum { PAGE = 4096 };

static int segment(int pages, char **at)
{
	int id = shmget(IPC_PRIVATE, pages * PAGE, IPC_CREAT | 0600);

	*at = id < 0 ? (char *)-1 : shmat(id, NULL, 0);
	if (*at != (char *)-1)
		memset(*at, 1, pages * PAGE);
	return id;
}

int main(void)
{
	char page[PAGE], *attached, *detached;
	int fd = memfd_create("held by a test", 0);
	char *shared = mmap(NULL, 20 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int first = segment(8, &attached), second = segment(6, &detached);
	volatile char *view;

	if (fd < 0 || shared == MAP_FAILED || attached == (char *)-1 || detached == (char *)-1)
		return 1;
	memset(page, 1, PAGE);
	for (int i = 0; i < 10; i++)
		if (write(fd, page, PAGE) != PAGE)
			return 1;
	view = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (int i = 0; i < 3; i++)
		view[i * PAGE] = 2;
	memset(shared, 1, 5 * PAGE);
	shmdt(detached);
	printf("%d %d\n", first, second);
	fflush(stdout);
	while (read(0, page, 1) > 0)
		;
	shmctl(first, IPC_RMID, NULL);
	shmctl(second, IPC_RMID, NULL);
	return 0;
}

/* Files of the kernel: reading, writing, swap headers. */
#include "guest.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern jmp_buf next_question;

_Noreturn void give_up(const char *why, const char *what)
{
	printf("failed %s %s: %s\n", why, what, strerror(errno));
	fflush(stdout);
	longjmp(next_question, 1);
}

int try_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = write(fd, text, strlen(text));
	int error = errno;
	close(fd);
	errno = error;
	return n < 0 ? -1 : 0;
}

void put(const char *path, const char *text)
{
	if (try_put(path, text) < 0)
		give_up("cannot write", path);
}

/* The whole file, to be freed; an empty string if it is not there. */
char *slurp(const char *path)
{
	size_t held = 0, room = 1 << 16;
	char *text = malloc(room);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	for (ssize_t n; fd >= 0 && (n = read(fd, text + held, room - held - 1)) > 0;) {
		held += n;
		if (held + 1 == room)
			text = realloc(text, room *= 2);
	}
	if (fd >= 0)
		close(fd);
	text[held] = 0;
	return text;
}

void make_swap(const char *path, uint64_t kib)
{
	char page[4096] = { 0 };
	uint32_t *info = (uint32_t *)(page + 1024);
	info[0] = 1;            /* version */
	info[1] = kib / 4 - 1;  /* last page */
	memcpy(page + sizeof page - 10, "SWAPSPACE2", 10);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, page, sizeof page, 0) != sizeof page || fsync(fd) < 0)
		give_up("cannot make swap on", path);
	close(fd);
}

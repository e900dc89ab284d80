/* One run of the program in a cgroup of its own: what the kernel counted meanwhile. */
#include "guest.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

jmp_buf next_question;

struct question {
	long limit_kib;
	char swap[16];
	unsigned long swap_kib;
	char mglru[4];
	int swappiness, page_cluster;
	unsigned timeout;
};

static volatile sig_atomic_t timed_out;
static pid_t child;
static const char *swap_on;

static void on_alarm(int signal)
{
	(void)signal;
	timed_out = 1;
	kill(child, SIGKILL);
}

/* A number, and so many strings behind it. */
static char **list_of(char **at)
{
	size_t n = strtoul(*at, NULL, 10);
	char **list = calloc(n + 1, sizeof *list);
	*at += strlen(*at) + 1;
	for (size_t i = 0; i < n; i++, *at += strlen(*at) + 1)
		list[i] = *at;
	return list;
}

struct program read_program(const char *path)
{
	char *at = slurp(path);
	struct program program = { .cwd = at };
	at += strlen(at) + 1;
	program.argv = list_of(&at);
	program.envp = list_of(&at);
	return program;
}

static void in(char *path, const char *folder, const char *name)
{
	snprintf(path, PATH_BYTES, "%s/%s", folder, name);
}

static void swap_anew(const struct place *place, const struct question *q)
{
	static char path[PATH_BYTES];
	char setting[PATH_BYTES], size[32];
	if (!strcmp(q->swap, "keep"))
		return;
	if (swap_on && swapoff(swap_on) < 0)
		give_up("swapoff", swap_on);
	swap_on = NULL;
	if (!q->swap_kib)
		return;
	snprintf(path, sizeof path, "%s", place->disk);
	if (!strcmp(q->swap, "zram")) {
		snprintf(path, sizeof path, "/dev/%s", place->zram);
		snprintf(setting, sizeof setting, "/sys/block/%s/reset", place->zram);
		put(setting, "1");
		snprintf(setting, sizeof setting, "/sys/block/%s/disksize", place->zram);
		snprintf(size, sizeof size, "%luK", q->swap_kib);
		put(setting, size);
	}
	make_swap(path, q->swap_kib);
	if (swapon(path, 0) < 0)
		give_up("swapon", path);
	swap_on = path;
}

static void prepare(const struct place *place, const struct question *q)
{
	char number[16];
	if (try_put("/sys/kernel/mm/lru_gen/enabled", *q->mglru == 'y' ? "7" : "0") < 0 && *q->mglru == 'y')
		give_up("no MGLRU:", "/sys/kernel/mm/lru_gen/enabled");
	snprintf(number, sizeof number, "%d", q->page_cluster);
	put("/proc/sys/vm/page-cluster", number);
	snprintf(number, sizeof number, "%d", q->swappiness);
	put("/proc/sys/vm/swappiness", number);
	sync();
	put("/proc/sys/vm/drop_caches", "3");
	swap_anew(place, q);
}

static void make_cgroup(const struct place *place, const char *cgroup, const struct question *q)
{
	char path[PATH_BYTES], number[32];
	if (mkdir(cgroup, 0755) < 0 && errno != EEXIST)
		give_up("cannot make", cgroup);
	if (place->version == 1) {
		snprintf(number, sizeof number, "%d", q->swappiness > 100 ? 100 : q->swappiness);
		in(path, cgroup, "memory.swappiness");
		put(path, number);
	}
	if (!q->limit_kib)
		return;
	snprintf(number, sizeof number, "%ldK", q->limit_kib);
	in(path, cgroup, place->version == 2 ? "memory.max" : "memory.limit_in_bytes");
	put(path, number);
}

static void remove_cgroup(const char *cgroup)
{
	char path[PATH_BYTES];
	in(path, cgroup, "cgroup.procs");
	for (int tries = 0; rmdir(cgroup) < 0 && errno == EBUSY && tries < 1000; tries++) {
		char *text = slurp(path);
		for (char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n')
			kill(atoi(at), SIGKILL);
		free(text);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		usleep(5000);
	}
}

/*
 * QEMU lets the TLB for data of its CPU grow and shrink when all of it is flushed, by how full it was in the last 100 ms, and on one
 * CPU Linux seldom flushes all of it: so a program keeps the size that chance gave it, and with it more or fewer pages that look idle
 * although they are used. Here it gets 256 entries, the size QEMU starts with: three times a hundred milliseconds, some 150 pages
 * touched, and everything flushed, for more than 33 pages at once lose their rights.
 */
enum { TOUCHED = 140, SETTLE = 4, WINDOW_US = 110000 };
static char touched[TOUCHED][4096] __attribute__((aligned(4096)));

static void settle_tlb(void)
{
	for (int i = 0; i < SETTLE; i++) {
		usleep(WINDOW_US);
		for (int j = 0; j < TOUCHED; j++)
			*(volatile char *)touched[j];
		mprotect(touched, sizeof touched, PROT_NONE);
		mprotect(touched, sizeof touched, PROT_READ);
	}
}

_Noreturn static void become(const struct place *place, const struct program *program, const char *cgroup)
{
	char path[PATH_BYTES];
	in(path, cgroup, "cgroup.procs");
	int null = open("/dev/null", O_RDWR);
	int errors = open(place->errors, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	signal(SIGALRM, SIG_DFL);
	setpgid(0, 0);
	personality(ADDR_NO_RANDOMIZE);
	if (place->root)
		settle_tlb();
	if (try_put(path, "0") < 0)
		_exit(125);
	if (place->root && (chroot(place->root) < 0 || chdir("/") < 0))
		_exit(125);
	if (chdir(program->cwd) < 0)
		_exit(125);
	dup2(null, 0);
	dup2(null, 1);
	dup2(errors, 2);
	close(null);
	close(errors);
	environ = program->envp;
	execvp(program->argv[0], program->argv);
	dprintf(2, "%s: %s\n", program->argv[0], strerror(errno));
	_exit(127);
}

/* Prints each line `name value` of `after`, less what `before` says of the same name. */
static void tell_difference(const char *prefix, const char *before, const char *after)
{
	char name[128];
	long long now, then;
	for (const char *at = after; sscanf(at, "%127s %lld", name, &now) == 2; at += strcspn(at, "\n"), at += *at == '\n') {
		size_t n = strlen(name);
		for (const char *old = before; *old; old += strcspn(old, "\n"), old += *old == '\n')
			if (!strncmp(old, name, n) && old[n] == ' ' && sscanf(old + n, "%lld", &then) == 1)
				now -= then;
		printf("%s.%s %lld\n", prefix, name, now);
	}
}

static void tell_file(const char *cgroup, const char *file, const char *name)
{
	char path[PATH_BYTES];
	in(path, cgroup, file);
	char *text = slurp(path);
	if (*text)
		printf("%s %lld\n", name, atoll(text));
	free(text);
}

static void tell_errors(const char *path)
{
	char *text = slurp(path);
	size_t length = strlen(text);
	char *tail = length > 800 ? text + length - 800 : text;
	for (char *line = strtok(tail, "\n"); line; line = strtok(NULL, "\n"))
		printf("stderr %s\n", line);
	free(text);
}

static void answer(const struct place *place, const struct program *program, const struct question *q)
{
	char cgroup[PATH_BYTES], path[PATH_BYTES];
	struct timespec began, ended;
	struct rusage used;
	int status;

	in(cgroup, place->cgroup, "program");
	remove_cgroup(cgroup);
	make_cgroup(place, cgroup, q);
	prepare(place, q);
	try_put("/proc/sys/vm/stat_refresh", "1");
	char *before = slurp("/proc/vmstat");
	clock_gettime(CLOCK_MONOTONIC, &began);
	timed_out = 0;
	child = fork();
	if (child < 0)
		give_up("fork", "");
	if (!child)
		become(place, program, cgroup);
	alarm(q->timeout);
	while (wait4(child, &status, 0, &used) < 0 && errno == EINTR)
		;
	alarm(0);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	try_put("/proc/sys/vm/stat_refresh", "1");
	char *after = slurp("/proc/vmstat");
	tell_difference("v", before, after);
	free(before);
	free(after);
	in(path, cgroup, "memory.stat");
	char *stat = slurp(path);
	tell_difference("m", "", stat);
	free(stat);
	in(path, cgroup, "memory.events");
	char *events = slurp(path);
	tell_difference("e", "", events);
	free(events);
	tell_file(cgroup, place->version == 2 ? "memory.peak" : "memory.max_usage_in_bytes", "peak");
	tell_file(cgroup, "memory.failcnt", "e.failcnt");
	remove_cgroup(cgroup);
	if (status)
		tell_errors(place->errors);
	printf("ms %lld\n", (ended.tv_sec - began.tv_sec) * 1000LL + (ended.tv_nsec - began.tv_nsec) / 1000000);
	printf("maxrss_kib %ld\nminflt %ld\nmajflt %ld\n", used.ru_maxrss, used.ru_minflt, used.ru_majflt);
	printf("status %d\n", timed_out ? -SIGALRM : WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
	printf("end\n");
	fflush(stdout);
}

void serve(const struct place *place, const struct program *program)
{
	char line[256];
	struct sigaction action = { .sa_handler = on_alarm };
	sigaction(SIGALRM, &action, NULL);
	for (int i = 0; i < TOUCHED; i++)
		touched[i][0] = 1;
	setjmp(next_question);
	while (fgets(line, sizeof line, stdin)) {
		struct question q;
		if (sscanf(line, "run %ld %15s %lu %3s %d %d %u", &q.limit_kib, q.swap, &q.swap_kib, q.mglru, &q.swappiness,
			   &q.page_cluster, &q.timeout) == 7)
			answer(place, program, &q);
		else
			break;
	}
	if (swap_on)
		swapoff(swap_on);
}

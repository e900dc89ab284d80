/*
 * What runs beside the measured program: asked on standard input, answers on standard output.
 *
 *   run LIMIT_KIB SWAP SWAP_KIB MGLRU SWAPPINESS PAGE_CLUSTER TIMEOUT_S
 *
 *     LIMIT_KIB     0: no limit            SWAP   zram, disk (a device or a file), keep (what is on stays on)
 *     MGLRU         y, n (a kernel without it refuses y)
 *
 *   v.pswpin 7141        /proc/vmstat, the difference over the run
 *   m.pgscan 33553       the cgroup's memory.stat when the program has ended
 *   e.max 831            memory.events (v2), or max_usage and failcnt (v1)
 *   status 0             exit code; less: -signal; -14 after TIMEOUT_S
 *   end                  the run is over; or `failed WHY`
 */
#define _GNU_SOURCE
#include <stdint.h>

enum { PATH_BYTES = 512 };

/* Where things are: in the virtual machine, or on a host. */
struct place {
	const char *root;       /* the program's root folder; NULL: ours */
	const char *cgroup;     /* a folder in which a cgroup may be made */
	int version;            /* of cgroups: 1 or 2 */
	const char *disk;       /* swap on disk: device or file */
	const char *zram;       /* name of the zram device */
	const char *errors;     /* file for the program's standard error */
};

/* The program: its folder, its arguments, its environment. In a file: strings one behind the other, before each list its length. */
struct program {
	char *cwd;
	char **argv;
	char **envp;
};

/* launch.c */
struct program read_program(const char *path);
void serve(const struct place *place, const struct program *program);

/* util.c */
/* Ends the run that is under way with `failed WHY: errno`. */
_Noreturn void give_up(const char *why, const char *what);
void put(const char *path, const char *text);
int try_put(const char *path, const char *text);
char *slurp(const char *path);
/* Writes a swap header over the first page of `path`, which holds `kib`. */
void make_swap(const char *path, uint64_t kib);

/*
 * In a virtual machine, its first process: makes the machine ready, then answers questions on the second serial line.
 * On a host: guest PROGRAM_FILE CGROUP_FOLDER VERSION DISK ZRAM ERRORS.
 */
#include "guest.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

static void must(int result, const char *what)
{
	if (result >= 0)
		return;
	perror(what);
	sync();
	reboot(RB_POWER_OFF);
}

static void mount_at(const char *type, const char *device, const char *folder)
{
	mkdir(folder, 0755);
	must(mount(device, folder, type, 0, NULL), folder);
}

static void insert_modules(void)
{
	char *order = slurp("/modules/order");
	for (char *name = strtok(order, "\n"); name; name = strtok(NULL, "\n")) {
		int fd = open(name, O_RDONLY | O_CLOEXEC);
		must(syscall(SYS_finit_module, fd, "", 0), name);
		close(fd);
	}
	free(order);
}

/* Bytes as they are: no echo, no translation of line ends. */
static void talk_on(const char *line)
{
	struct termios mode;
	int fd = open(line, O_RDWR | O_NOCTTY);
	must(fd, line);
	must(tcgetattr(fd, &mode), line);
	cfmakeraw(&mode);
	must(tcsetattr(fd, TCSANOW, &mode), line);
	dup2(fd, 0);
	dup2(fd, 1);
}

static void boot(void)
{
	mount_at("proc", "proc", "/proc");
	mount_at("sysfs", "sys", "/sys");
	mount_at("devtmpfs", "dev", "/dev");
	insert_modules();
	mount_at("ext4", "/dev/vda", "/disk");
	mount_at("proc", "proc", "/disk/proc");
	mount_at("devtmpfs", "dev", "/disk/dev");
	mount_at("cgroup2", "cgroup", "/cgroup");
	must(try_put("/cgroup/cgroup.subtree_control", "+memory"), "memory cgroups");
	mkdir("/cgroup/measure", 0755);
	must(try_put("/cgroup/measure/cgroup.subtree_control", "+memory"), "memory cgroups");
	must(try_put("/sys/kernel/mm/transparent_hugepage/enabled", "never"), "huge pages");
	talk_on("/dev/ttyS1");
	printf("ready\n");
	fflush(stdout);
	const struct place machine = { "/disk", "/cgroup/measure", 2, "/dev/vdb", "zram0", "/errors" };
	const struct program program = read_program("/program");
	serve(&machine, &program);
	reboot(RB_POWER_OFF);
}

int main(int argc, char **argv)
{
	if (getpid() == 1)
		boot();
	if (argc != 7)
		return 2;
	const struct place host = { NULL, argv[2], atoi(argv[3]), argv[4], argv[5], argv[6] };
	const struct program program = read_program(argv[1]);
	printf("ready\n");
	fflush(stdout);
	serve(&host, &program);
	return 0;
}

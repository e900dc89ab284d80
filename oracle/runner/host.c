/* What a program stands on: the kernel's settings, its files, its swap. Everything is put back at the end. */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#define EXT4_MAGIC 0xef53
#define TMPFS_MAGIC 0x01021994

char host_disk_dir[PATH_MAX], host_shm_dir[PATH_MAX], host_kernel[64];
static char swap_path[PATH_MAX + 8];
static bool swap_on;

/* Section 2 of the format. A setting that this kernel does not have is none that could differ. */
enum { MAX_MAP_COUNT };
static struct {
  const char *path, *wanted;
  char saved[64];
} settings[] = {
  [MAX_MAP_COUNT] = { "/proc/sys/vm/max_map_count", "65530", "" },
  { "/sys/kernel/mm/transparent_hugepage/enabled", "madvise", "" },
  { "/sys/kernel/mm/transparent_hugepage/shmem_enabled", "never", "" },
  { "/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs", "4294967295", "" },
  { "/sys/kernel/mm/lru_gen/enabled", "0x0000", "" },
  { "/sys/kernel/mm/ksm/run", "0", "" },
  { "/proc/sys/vm/swappiness", "60", "" },
  { "/proc/sys/vm/page-cluster", "3", "" },
  { "/proc/sys/vm/overcommit_memory", "0", "" },
};
#define SETTINGS (sizeof settings / sizeof *settings)

static bool read_file(const char *path, char *text, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
  if (fd >= 0) close(fd);
  text[n > 0 ? n : 0] = 0;
  return n >= 0;
}

static bool write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  if (fd >= 0) close(fd);
  return done;
}

/* The value; of several that are offered, the one in brackets. */
static void setting_value(const char *path, char *value, size_t size) {
  char text[256];
  if (!read_file(path, text, sizeof text)) text[0] = 0;
  char *open = strchr(text, '['), *close = open ? strchr(open, ']') : NULL;
  if (close) *close = 0;
  snprintf(value, size, "%.63s", close ? open + 1 : text);
  value[strcspn(value, "\n")] = 0;
}

static bool adopt_settings(void) {
  for (size_t i = 0; i < SETTINGS; i++) {
    char value[64];
    setting_value(settings[i].path, value, sizeof value);
    if (value[0] == 0 || strcmp(value, settings[i].wanted) == 0) continue;
    if (!write_file(settings[i].path, settings[i].wanted)) {
      fprintf(stderr, "%s is %s, and cannot be set to %s: %s\n", settings[i].path, value, settings[i].wanted, strerror(errno));
      return false;
    }
    strcpy(settings[i].saved, value);
  }
  return true;
}

bool host_allow_areas(int own) {
  char value[64];
  snprintf(value, sizeof value, "%ld", strtol(settings[MAX_MAP_COUNT].wanted, NULL, 10) + own);
  if (!settings[MAX_MAP_COUNT].saved[0]) strcpy(settings[MAX_MAP_COUNT].saved, settings[MAX_MAP_COUNT].wanted);
  return write_file(settings[MAX_MAP_COUNT].path, value);
}

/* Debian names its kernels by ABI and tells the version elsewhere. */
static void find_kernel(void) {
  struct utsname name;
  uname(&name);
  const char *debian = strstr(name.version, "Debian ");
  snprintf(host_kernel, sizeof host_kernel, "%.60s", debian ? debian + 7 : name.release);
  host_kernel[strspn(host_kernel, "0123456789.")] = 0;
}

static bool make_folder(char *path, const char *parent, long magic, const char *kind) {
  struct statfs fs;
  if (statfs(parent, &fs) != 0 || fs.f_type != magic) {
    fprintf(stderr, "%s is not on %s\n", parent, kind);
    return false;
  }
  snprintf(path, PATH_MAX, "%.4000s/revmap-runner.%d", parent, getpid());
  if (mkdir(path, 0700) == 0) return true;
  fprintf(stderr, "%s: %s\n", path, strerror(errno));
  path[0] = 0;
  return false;
}

bool host_enter(const char *disk_dir) {
  find_kernel();
  if (!make_folder(host_disk_dir, disk_dir, EXT4_MAGIC, "ext4") || !make_folder(host_shm_dir, "/dev/shm", TMPFS_MAGIC, "tmpfs")) return false;
  char path[PATH_MAX + 8];
  snprintf(path, sizeof path, "%s/empty", host_disk_dir);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || dup2(fd, FD_DRAIN) != FD_DRAIN) return false;
  close(fd);
  unlink(path);
  snprintf(swap_path, sizeof swap_path, "%s/swap", host_disk_dir);
  return adopt_settings();
}

void host_leave(void) {
  host_swapoff();
  close(FD_DRAIN);
  if (host_disk_dir[0]) rmdir(host_disk_dir);
  if (host_shm_dir[0]) rmdir(host_shm_dir);
  host_disk_dir[0] = host_shm_dir[0] = 0;
  for (size_t i = 0; i < SETTINGS; i++) {
    if (settings[i].saved[0]) write_file(settings[i].path, settings[i].saved);
    settings[i].saved[0] = 0;
  }
}

const char *host_lacks(const struct program *p) {
  static char swaps[4096];
  if (p->swap_mib == 0) return NULL;
  char *second = read_file("/proc/swaps", swaps, sizeof swaps) ? strchr(swaps, '\n') : NULL;
  return second && second[1] ? "it needs a swap area of its own, and this machine has one on" : NULL;
}

void host_drain(void) {
  posix_fadvise(FD_DRAIN, 0, 0, POSIX_FADV_DONTNEED);
}

/* files */

void host_path(const struct program *p, const char *name, char *path, size_t size) {
  bool shm = false;
  for (int i = 0; i < p->files; i++)
    if (strcmp(p->file[i].name, name) == 0) shm = p->file[i].shm;
  snprintf(path, size, "%.2000s/%.255s", shm ? host_shm_dir : host_disk_dir, name);
}

static void fill(unsigned char *page, long p, int k) {
  for (long o = 0; o < (long)PAGE_BYTES; o++) page[o] = (unsigned char)(37 * p + o + k);
}

static bool make_file(struct program *p, int k) {
  struct program_file *f = &p->file[k];
  char path[PATH_MAX];
  unsigned char page[PAGE_BYTES];
  host_path(p, f->name, path, sizeof path);
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  bool done = true;
  for (long i = 0; i < f->pages && done; i++) {
    fill(page, i, k);
    done = pwrite(fd, page, PAGE_BYTES, i * (long)PAGE_BYTES) == (ssize_t)PAGE_BYTES;
  }
  /* Clean, and out of the cache; the inode too is written, so that nothing is left to do later. */
  if (!f->shm) done = done && fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0;
  close(fd);
  f->fd = open(path, O_RDONLY | O_CLOEXEC);
  if (f->fd < 0 || !done) return false;
  if (f->shm || !f->cached) return true;
  posix_fadvise(f->fd, 0, 0, POSIX_FADV_RANDOM);
  for (long i = 0; i < f->pages && done; i++) {
    done = pread(f->fd, page, PAGE_BYTES, i * (long)PAGE_BYTES) == (ssize_t)PAGE_BYTES;
    host_drain();
  }
  posix_fadvise(f->fd, 0, 0, POSIX_FADV_NORMAL);
  return done;
}

bool host_make_files(struct program *p) {
  for (int k = 0; k < p->files; k++)
    if (!make_file(p, k)) {
      fprintf(stderr, "%s: file %s: %s\n", p->name, p->file[k].name, strerror(errno));
      return false;
    }
  return true;
}

/* Declared files, and those that the program made. */
void host_remove_files(struct program *p) {
  char path[PATH_MAX];
  for (int i = 0; i < p->files; i++) {
    host_path(p, p->file[i].name, path, sizeof path);
    unlink(path);
    if (p->file[i].fd >= 0) close(p->file[i].fd);
    p->file[i].fd = -1;
  }
  for (int i = 0; i < p->steps; i++) {
    const struct step *s = &p->step[i];
    const struct arg *name = s->call == CALL_OPEN ? &s->arg[0] : s->call == CALL_OPENAT ? &s->arg[1] : NULL;
    if (!name || name->kind != ARG_TEXT || strchr(name->text, '/')) continue;
    host_path(p, name->text, path, sizeof path);
    unlink(path);
  }
}

/* swap */

/* What mkswap writes: version, last page, signature. */
static bool make_swap(int fd, long mib) {
  static unsigned char head[PAGE_BYTES];
  uint32_t last = (uint32_t)(mib * (1 << 20) / (long)PAGE_BYTES - 1), version = 1;
  memcpy(head + 1024, &version, 4);
  memcpy(head + 1028, &last, 4);
  memcpy(head + PAGE_BYTES - 10, "SWAPSPACE2", 10);
  return posix_fallocate(fd, 0, mib << 20) == 0 && pwrite(fd, head, PAGE_BYTES, 0) == (ssize_t)PAGE_BYTES && fsync(fd) == 0;
}

int host_swapon(long mib) {
  int fd = open(swap_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return -errno;
  bool made = make_swap(fd, mib);
  int error = errno;
  close(fd);
  if (!made) return -error;
  if (swapon(swap_path, 0) != 0) return -errno;
  swap_on = true;
  return 0;
}

/*
 * The kernel keeps the window of swap readahead, its hits and the last offset for the whole machine, from program to program.
 * Faults far from each other, none of which hits, bring it down to one page; the last of them lies behind what programs use.
 */
#define SCATTERED_PAGES 1024
#define SCATTERED_FAULTS 24
#define SCATTER 389

static void scatter_faults(void) {
  size_t bytes = SCATTERED_PAGES * PAGE_BYTES;
  unsigned char in_cache[SCATTERED_PAGES];
  volatile char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  for (size_t i = 0; i < SCATTERED_PAGES; i++) memory[i * PAGE_BYTES] = 1;
  /* Written once, then read back and paged out until nothing of it is in the swap cache. */
  for (int tries = 0; tries < 100; tries++) {
    madvise((void *)memory, bytes, MADV_PAGEOUT);
    if (mincore((void *)memory, bytes, in_cache) != 0 || !memchr(in_cache, 1, SCATTERED_PAGES)) break;
    usleep(2000);
    for (size_t i = 0; i < SCATTERED_PAGES; i++) (void)memory[i * PAGE_BYTES];
  }
  for (size_t i = 0, at = 0; i < SCATTERED_FAULTS; i++, at = (at + SCATTER) % SCATTERED_PAGES) (void)memory[at * PAGE_BYTES];
  (void)memory[(SCATTERED_PAGES - 8) * PAGE_BYTES];
}

int host_first_swapon(long mib) {
  int error = host_swapon(mib);
  if (error) return error;
  pid_t pid = fork();
  if (pid == 0) {
    scatter_faults();
    _exit(0);
  }
  int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  struct pollfd ended = { .fd = pidfd, .events = POLLIN };
  if (pidfd >= 0) {
    poll(&ended, 1, -1);
    close(pidfd);
  }
  error = host_swapoff();
  return error ? error : host_swapon(mib);
}

int host_swapoff(void) {
  int error = 0;
  if (swap_on && swapoff(swap_path) != 0) error = errno;
  if (error == 0) {
    swap_on = false;
    if (swap_path[0]) unlink(swap_path);
  }
  return -error;
}

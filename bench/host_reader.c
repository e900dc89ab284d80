/*
 * Reads what `revmap/host` reads to take a whole host, and does nothing with it: the measure for bench/host.ts.
 * Of each process stat, maps, status, cgroup, smaps_rollup, pagemap of each mapping (of mappings of 128 MiB and more where
 * PAGEMAP_SCAN says that there is something, as we do: one reservation of a tebibyte would be seconds), maps and stat again;
 * then kpageflags, kpagecount, kpagecgroup. Prints seconds and bytes.
 *
 * host_reader --crowd GROUPS CHILDREN FILE: becomes GROUPS programs of CHILDREN forked children each, with a heap, FILE shared,
 * private and shared mappings in between, and waits until its standard input ends.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, BLOCK = 1 << 20, TEXT = 1 << 22, HEAP = 24 << 20, REGIONS = 150, HUGE = 128 << 20 };

static char block[BLOCK], text[TEXT], other[TEXT];
static unsigned long long bytes;

static long read_all(const char *path, char *into) {
  int fd = open(path, O_RDONLY);
  long length = 0, n;
  if (fd < 0) return -1;
  while (length < TEXT && (n = read(fd, into + length, TEXT - length)) > 0) length += n;
  close(fd);
  bytes += length;
  return length;
}

static void read_frames(const char *path) {
  int fd = open(path, O_RDONLY);
  long n;
  if (fd < 0) return;
  while ((n = read(fd, block, BLOCK)) > 0) bytes += n;
  close(fd);
}

/* struct pm_scan_arg and _IOWR('f', 16, struct pm_scan_arg), which the headers of older systems do not have. */
struct scan {
  unsigned long long size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, all_of, any_of, returned;
};
static const unsigned long PAGEMAP_SCAN_ = 0xc0606610, PRESENT_OR_SWAPPED = 1 << 3 | 1 << 4;

static void read_words(int fd, unsigned long at, unsigned long last) {
  while (at < last) {
    long n = pread(fd, block, last - at < BLOCK ? last - at : BLOCK, at);
    if (n <= 0) break;
    bytes += n;
    at += n;
  }
}

/* 0 if the kernel (before 6.7) cannot say. */
static int read_populated(int fd, unsigned long start, unsigned long end) {
  static struct { unsigned long long start, end, categories; } regions[1024];
  struct scan scan = {.size = sizeof scan, .end = end, .vec = (unsigned long)regions, .vec_len = 1024, .any_of = PRESENT_OR_SWAPPED};
  for (scan.start = start; scan.start < end; scan.start = scan.walk_end) {
    int count = ioctl(fd, PAGEMAP_SCAN_, &scan);
    if (count < 0 || scan.walk_end <= scan.start) return 0;
    for (int i = 0; i < count; i++) read_words(fd, regions[i].start / PAGE * 8, regions[i].end / PAGE * 8);
  }
  return 1;
}

static void read_pagemap(const char *path, char *maps) {
  int fd = open(path, O_RDONLY);
  if (fd < 0) return;
  for (char *line = maps; *line != 0;) {
    unsigned long start = strtoul(line, &line, 16), end = strtoul(line + 1, &line, 16);
    if (end <= 1ul << 47 && (end - start < HUGE || !read_populated(fd, start, end)))
      read_words(fd, start / PAGE * 8, end / PAGE * 8);
    line = strchr(line, '\n');
    if (line++ == NULL) break;
  }
  close(fd);
}

static int read_host(void) {
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  DIR *proc = opendir("/proc");
  int processes = 0;
  for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
    static const char *before[] = {"stat", "maps", "status", "cgroup", "smaps_rollup"};
    char path[300];
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    processes++;
    for (int i = 0; i < 5; i++) {
      snprintf(path, sizeof path, "/proc/%s/%s", entry->d_name, before[i]);
      long length = read_all(path, i == 1 ? other : text);
      if (i == 1) other[length < 0 ? 0 : length] = 0;
    }
    snprintf(path, sizeof path, "/proc/%s/pagemap", entry->d_name);
    read_pagemap(path, other);
    for (int i = 1; i >= 0; i--) {
      snprintf(path, sizeof path, "/proc/%s/%s", entry->d_name, before[i]);
      read_all(path, text);
    }
  }
  closedir(proc);
  read_frames("/proc/kpageflags");
  read_frames("/proc/kpagecount");
  read_frames("/proc/kpagecgroup");
  clock_gettime(CLOCK_MONOTONIC, &end);
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("{\"seconds\":%.4f,\"processes\":%d,\"bytes\":%llu,\"peakKiB\":%ld}\n",
         (end.tv_sec - start.tv_sec) + (end.tv_nsec - start.tv_nsec) / 1e9, processes, bytes, usage.ru_maxrss);
  return 0;
}

static void dirty(char *heap, int from, int pages) {
  for (int i = from; i < from + pages; i++) heap[(long)i * PAGE] = (char)i;
}

static void crowd_member(int children, const char *file) {
  int fd = open(file, O_RDONLY);
  long size = lseek(fd, 0, SEEK_END);
  char *heap = mmap(NULL, HEAP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  volatile char *shown = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
  long sum = 0;
  dirty(heap, 0, HEAP / PAGE);
  for (long at = 0; at < size; at += PAGE) sum += shown[at];
  for (int i = 0; i < REGIONS; i++) {
    char *region = mmap(NULL, 16 * PAGE, i % 3 == 0 ? PROT_READ : PROT_READ | PROT_WRITE, i % 2 ? MAP_PRIVATE : MAP_PRIVATE | MAP_ANONYMOUS,
                        i % 2 ? fd : -1, i % 2 ? (long)i * 16 * PAGE % size : 0);
    if (region != MAP_FAILED) sum += *(volatile char *)region;
  }
  for (int i = 0; i < children; i++)
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dirty(heap, i * 512 % (HEAP / PAGE - 1024), 1024);
      for (;;) pause();
    }
  for (;;) pause();
}

static int crowd(int groups, int children, const char *file) {
  for (int i = 0; i < groups; i++)
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      crowd_member(children, file);
    }
  while (read(0, block, 1) > 0) {}
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 5 && strcmp(argv[1], "--crowd") == 0) return crowd(atoi(argv[2]), atoi(argv[3]), argv[4]);
  return read_host();
}

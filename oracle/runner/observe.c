/* What the kernel shows: smaps, pagemap, kpagecount, kpageflags, cachestat. Section 4 of the format. */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NR_CACHESTAT 451
#define PM_PRESENT (1ull << 63)
#define PM_SWAP (1ull << 62)
#define PM_FILE (1ull << 61)
#define PM_GUARD (1ull << 58)
#define PM_UFFD_WP (1ull << 57)
#define PM_EXCLUSIVE (1ull << 56)
#define PM_FRAME ((1ull << 55) - 1)
#define KPF_WRITEBACK (1ull << 8)
#define KPF_ANON (1ull << 12)
#define KPF_ZERO_PAGE (1ull << 24)

static const char *const flag_names[64] = {
  "locked", "error", "referenced", "uptodate", "dirty", "lru", "active", "slab", "writeback", "reclaim", "buddy", "mmap", "anon",
  "swapcache", "swapbacked", "compound_head", "compound_tail", "huge", "unevictable", "hwpoison", "nopage", "ksm", "thp", "offline",
  "zero_page", NULL, "pgtable",
  [32] = "reserved", "mlocked", "mappedtodisk", "private", "private_2", "owner_private", "arch", "uncached",
};
#define BIT_ANON_EXCLUSIVE 34

/* text */

void text_reset(struct text *t) {
  t->len = 0;
  if (t->at) t->at[0] = 0;
}

static void text_room(struct text *t, size_t more) {
  if (t->len + more < t->cap) return;
  t->cap = (t->len + more + 1) * 2;
  t->at = realloc(t->at, t->cap);
  if (!t->at) abort();
}

void text_add(struct text *t, const char *format, ...) {
  for (;;) {
    va_list list;
    va_start(list, format);
    size_t room = t->cap - t->len;
    int n = vsnprintf(t->at ? t->at + t->len : NULL, room, format, list);
    va_end(list);
    if ((size_t)n < room) {
      t->len += (size_t)n;
      return;
    }
    text_room(t, (size_t)n + 1);
  }
}

void text_json(struct text *t, const char *s, int len) {
  text_add(t, "\"");
  for (int i = 0; i < len; i++) {
    if (s[i] == '"' || s[i] == '\\') text_add(t, "\\%c", s[i]);
    else if ((unsigned char)s[i] < 32) text_add(t, "\\u%04x", s[i]);
    else text_add(t, "%c", s[i]);
  }
  text_add(t, "\"");
}

/* names in order of first appearance */

struct names {
  unsigned long *key;
  int *name;
  int cap, count;
};
static struct names frames, slots;

static int name_of(struct names *n, unsigned long key) {
  if (2 * (n->count + 1) > n->cap) {
    struct names bigger = { .cap = n->cap ? 2 * n->cap : 1024, .count = n->count };
    bigger.key = calloc((size_t)bigger.cap, sizeof *bigger.key);
    bigger.name = calloc((size_t)bigger.cap, sizeof *bigger.name);
    if (!bigger.key || !bigger.name) abort();
    for (int i = 0; i < n->cap; i++) {
      if (n->name[i] == 0) continue;
      int at = (int)(n->key[i] * 0x9e3779b97f4a7c15ul >> 33) % bigger.cap;
      while (bigger.name[at] != 0) at = (at + 1) % bigger.cap;
      bigger.key[at] = n->key[i];
      bigger.name[at] = n->name[i];
    }
    free(n->key);
    free(n->name);
    *n = bigger;
  }
  int at = (int)(key * 0x9e3779b97f4a7c15ul >> 33) % n->cap;
  while (n->name[at] != 0 && n->key[at] != key) at = (at + 1) % n->cap;
  if (n->name[at] == 0) {
    n->key[at] = key;
    n->name[at] = ++n->count;
  }
  return n->name[at];
}

static void names_clear(struct names *n) {
  free(n->key);
  free(n->name);
  *n = (struct names){ 0 };
}

/* pages */

static int kpagecount = -1, kpageflags = -1;

static uint64_t word_at(int fd, unsigned long index) {
  uint64_t word = 0;
  if (pread(fd, &word, sizeof word, (off_t)(index * sizeof word)) != (ssize_t)sizeof word) return 0;
  return word;
}

struct page {
  char kind; /* f s z m; 0 is nothing */
  int name;
  uint64_t count, flags, letters;
};

static struct page page_of(uint64_t entry) {
  struct page page = { .letters = entry & (PM_EXCLUSIVE | PM_FILE | PM_UFFD_WP | PM_GUARD) };
  if (entry & PM_PRESENT) {
    unsigned long pfn = entry & PM_FRAME;
    page.flags = word_at(kpageflags, pfn);
    if (page.flags & KPF_ZERO_PAGE) {
      page.kind = 'z';
      page.flags = KPF_ZERO_PAGE;
    } else {
      page.kind = 'f';
      page.name = name_of(&frames, pfn);
      page.count = word_at(kpagecount, pfn);
    }
  } else if (entry & PM_GUARD) page.kind = 'm';
  else if (entry & PM_SWAP) {
    page.kind = 's';
    page.name = name_of(&slots, entry & PM_FRAME);
  }
  return page;
}

static void add_flags(struct text *out, uint64_t flags) {
  bool first = true;
  for (int bit = 0; bit < 64; bit++) {
    if (!(flags >> bit & 1) || !flag_names[bit]) continue;
    const char *name = bit == BIT_ANON_EXCLUSIVE && flags & KPF_ANON ? "anon_exclusive" : flag_names[bit];
    text_add(out, "%s%s", first ? "" : "|", name);
    first = false;
  }
}

static void add_run(struct text *out, unsigned long start, long pages, const struct page *page, bool *first) {
  text_add(out, "%s[%lu,%ld,\"%c", *first ? "" : ",", start, pages, page->kind);
  if (page->kind == 'f' || page->kind == 's') text_add(out, "%d", page->name);
  text_add(out, "\",%lu,\"", (unsigned long)page->count);
  add_flags(out, page->flags);
  text_add(out, "\",\"%s%s%s%s\"]", page->letters & PM_EXCLUSIVE ? "x" : "", page->letters & PM_FILE ? "f" : "",
           page->letters & PM_UFFD_WP ? "u" : "", page->letters & PM_GUARD ? "g" : "");
  *first = false;
}

#define PAGEMAP_WORDS 8192
/* pagemap is read word by word, also where nothing is: an area of this size takes seconds. */
#define LARGEST_AREA (16ul << 30)

static void add_pages(struct text *out, const struct actor *a, unsigned long start, unsigned long end, bool *first) {
  static uint64_t words[PAGEMAP_WORDS];
  struct page run = { 0 };
  unsigned long run_start = 0;
  long run_pages = 0;
  for (unsigned long at = start / PAGE_BYTES; at < end / PAGE_BYTES;) {
    size_t want = end / PAGE_BYTES - at;
    if (want > PAGEMAP_WORDS) want = PAGEMAP_WORDS;
    ssize_t got = pread(a->pagemap, words, want * 8, (off_t)at * 8);
    if (got <= 0) break;
    for (ssize_t i = 0; i < got / 8; i++, at++) {
      struct page page = { 0 };
      if (words[i] & (PM_PRESENT | PM_SWAP | PM_GUARD)) page = page_of(words[i]);
      bool named = page.kind == 'f' || page.kind == 's';
      bool goes_on = run_pages > 0 && page.kind == run.kind && page.count == run.count && page.flags == run.flags &&
                     page.letters == run.letters && (!named || page.name == run.name + run_pages);
      if (goes_on) {
        run_pages++;
        continue;
      }
      if (run_pages > 0) add_run(out, run_start, run_pages, &run, first);
      run = page;
      run_start = at - ARENA_START / PAGE_BYTES;
      run_pages = page.kind ? 1 : 0;
    }
  }
  if (run_pages > 0) add_run(out, run_start, run_pages, &run, first);
}

/* areas */

const char *observe_trouble;

static const char *const numbers[] = {
  "Rss", "Pss", "Pss_Dirty", "Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty", "Referenced", "Anonymous", "KSM",
  "LazyFree", "AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Swap", "SwapPss", "Locked", "THPeligible",
};

static bool starts_with(const char *s, const char *prefix) {
  return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* As the format names it: without the runner's folders. */
static void add_name(struct text *out, const char *path) {
  char name[8192] = "";
  size_t disk = strlen(host_disk_dir), shm = strlen(host_shm_dir);
  if (starts_with(path, "/dev/zero")) strcpy(name, "shm");
  else if (starts_with(path, "/memfd:")) snprintf(name, sizeof name, "%s", path + 1);
  else if (starts_with(path, host_disk_dir) && path[disk] == '/') snprintf(name, sizeof name, "file:%s", path + disk + 1);
  else if (starts_with(path, host_shm_dir) && path[shm] == '/') snprintf(name, sizeof name, "file:%s", path + shm + 1);
  else snprintf(name, sizeof name, "%s", path);
  char *deleted = strstr(name, " (deleted)");
  if (deleted && !starts_with(name, "file:")) *deleted = 0;
  text_json(out, name, (int)strlen(name));
}

static void add_vma_flags(struct text *out, char *flags) {
  text_add(out, ",\"VmFlags\":\"");
  bool first = true;
  char *save;
  for (char *code = strtok_r(flags, " ", &save); code; code = strtok_r(NULL, " ", &save)) {
    if (strcmp(code, "sd") == 0) continue;
    text_add(out, "%s%s", first ? "" : " ", code);
    first = false;
  }
  text_add(out, "\"}");
}

/* Everything that smaps says of the arena. Frames of each area are named as they are met. */
static void add_proc(struct text *out, const struct actor *a) {
  static struct text smaps, pages;
  text_reset(&smaps);
  text_reset(&pages);
  lseek(a->smaps, 0, SEEK_SET);
  for (;;) {
    text_room(&smaps, 65536);
    ssize_t n = read(a->smaps, smaps.at + smaps.len, 65536);
    if (n <= 0) break;
    smaps.len += (size_t)n;
  }
  smaps.at[smaps.len] = 0;
  text_add(out, "{\"vmas\":[");
  bool inside = false, first_vma = true, first_run = true;
  for (char *line = smaps.at, *next; *line; line = next) {
    next = strchr(line, '\n');
    if (!next) break;
    *next++ = 0;
    unsigned long start, end, offset;
    char perms[8];
    int path = 0;
    if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %n", &start, &end, perms, &offset, &path) == 4) {
      inside = start >= ARENA_START && start < ARENA_END;
      if (!inside) continue;
      text_add(out, "%s{\"start\":\"0x%lx\",\"end\":\"0x%lx\",\"perms\":\"%s\",\"offset\":%lu,\"name\":", first_vma ? "" : ",", start, end,
               perms, offset);
      add_name(out, line + path);
      if (end - start <= LARGEST_AREA) add_pages(&pages, a, start, end, &first_run);
      else observe_trouble = "an area larger than the runner looks through (16 GiB)";
      first_vma = false;
      continue;
    }
    char *colon = strchr(line, ':');
    if (!inside || !colon) continue;
    *colon = 0;
    if (strcmp(line, "VmFlags") == 0) {
      add_vma_flags(out, colon + 1);
      continue;
    }
    long value = strtol(colon + 1, NULL, 10);
    for (size_t i = 0; value != 0 && i < sizeof numbers / sizeof *numbers; i++)
      if (strcmp(numbers[i], line) == 0) text_add(out, ",\"%s\":%ld", line, value);
  }
  text_add(out, "],\"pages\":[%s]}", pages.at ? pages.at : "");
}

/* files */

struct cachestat_range { uint64_t off, len; };
struct cachestat { uint64_t cache, dirty, writeback, evicted, recently_evicted; };
static bool has_cachestat;

static char letter_of(int fd, uint64_t off, uint64_t len) {
  struct cachestat_range range = { off, len };
  struct cachestat s;
  if (syscall(NR_CACHESTAT, fd, &range, &s, 0) != 0) return '?';
  if (len > PAGE_BYTES && s.cache + s.evicted != 0 && (s.cache != len / PAGE_BYTES || s.dirty + s.writeback + s.evicted != 0)) return 0;
  return s.writeback ? 'w' : s.dirty ? 'd' : s.cache ? 'c' : s.evicted ? 'e' : '.';
}

/* Before 6.5: only whether a page is there, as mincore says. */
static void add_mincore(struct text *out, int fd, long pages) {
  unsigned char *vec = calloc((size_t)pages, 1);
  void *map = mmap(NULL, (size_t)pages * PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
  if (vec && map != MAP_FAILED && mincore(map, (size_t)pages * PAGE_BYTES, vec) == 0)
    for (long i = 0; i < pages; i++) text_add(out, "%c", vec[i] & 1 ? 'c' : '.');
  if (map != MAP_FAILED) munmap(map, (size_t)pages * PAGE_BYTES);
  free(vec);
}

static void add_file(struct text *out, const char *name, int fd, bool *first) {
  struct stat st;
  if (fstat(fd, &st) != 0) return;
  text_add(out, "%s", *first ? "" : ",");
  *first = false;
  text_json(out, name, (int)strlen(name));
  text_add(out, ":{\"size\":%ld,\"cache\":\"", (long)st.st_size);
  long pages = (st.st_size + (long)PAGE_BYTES - 1) / (long)PAGE_BYTES;
  if (pages > 0 && !has_cachestat) add_mincore(out, fd, pages);
  else if (pages > 0) {
    char all = letter_of(fd, 0, (uint64_t)pages * PAGE_BYTES);
    for (long i = 0; i < pages; i++) text_add(out, "%c", all ? all : letter_of(fd, (uint64_t)i * PAGE_BYTES, PAGE_BYTES));
  }
  text_add(out, "\"}");
}

/* Every memfd that one of them holds open, once. */
static void add_memfds(struct text *out, struct actor **actors, int count, bool *first) {
  ino_t seen[64];
  int seens = 0;
  for (int i = 0; i < count; i++)
    for (int d = 0; d < actors[i]->fds; d++) {
      if (!actors[i]->fd[d].memfd) continue;
      char link[64], target[512];
      snprintf(link, sizeof link, "/proc/%d/fd/%d", actors[i]->pid, actors[i]->fd[d].fd);
      ssize_t n = readlink(link, target, sizeof target - 1);
      int fd = open(link, O_RDONLY | O_CLOEXEC);
      struct stat st;
      if (n < 0 || fd < 0 || fstat(fd, &st) != 0) {
        if (fd >= 0) close(fd);
        continue;
      }
      bool known = seens == 64;
      for (int s = 0; s < seens; s++) known = known || seen[s] == st.st_ino;
      if (!known) {
        target[n] = 0;
        char *deleted = strstr(target, " (deleted)");
        if (deleted) *deleted = 0;
        seen[seens++] = st.st_ino;
        add_file(out, starts_with(target, "/memfd:") ? target + strlen("/memfd:") : target, fd, first);
      }
      close(fd);
    }
}

/* snapshots */

static struct text files_before;

bool observe_open(struct actor *a) {
  char path[64];
  struct { uint64_t off, len; } range = { 0, 1 };
  struct cachestat s;
  if (kpageflags < 0) {
    kpageflags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
    kpagecount = open("/proc/kpagecount", O_RDONLY | O_CLOEXEC);
    has_cachestat = syscall(NR_CACHESTAT, FD_DRAIN, &range, &s, 0) == 0;
  }
  snprintf(path, sizeof path, "/proc/%d/smaps", a->pid);
  a->smaps = open(path, O_RDONLY | O_CLOEXEC);
  snprintf(path, sizeof path, "/proc/%d/pagemap", a->pid);
  a->pagemap = open(path, O_RDONLY | O_CLOEXEC);
  return kpageflags >= 0 && kpagecount >= 0 && a->smaps >= 0 && a->pagemap >= 0;
}

void observe_close(struct actor *a) {
  close(a->smaps);
  close(a->pagemap);
  free(a->before.at);
  a->before = (struct text){ 0 };
}

void observe_reset(void) {
  observe_trouble = NULL;
  names_clear(&frames);
  names_clear(&slots);
  text_reset(&files_before);
}

void observe_snapshot(struct text *out, const struct program *p, struct actor **actors, int count, int op) {
  static struct text now;
  host_drain();
  text_add(out, "{\"snap\":%d,\"procs\":{", op);
  for (int i = 0; i < count; i++) {
    struct actor *a = actors[i];
    text_reset(&now);
    add_proc(&now, a);
    bool same = a->before.at && strcmp(now.at, a->before.at) == 0;
    text_add(out, "%s\"%ld\":%s", i ? "," : "", a->label, same ? "\"=\"" : now.at);
    text_reset(&a->before);
    text_add(&a->before, "%s", now.at);
  }
  text_reset(&now);
  bool first = true;
  text_add(&now, "{");
  for (int i = 0; i < p->files; i++) add_file(&now, p->file[i].name, p->file[i].fd, &first);
  add_memfds(&now, actors, count, &first);
  text_add(&now, "}");
  bool same = files_before.at && strcmp(now.at, files_before.at) == 0;
  text_add(out, "},\"files\":%s}\n", same ? "\"=\"" : now.at);
  text_reset(&files_before);
  text_add(&files_before, "%s", now.at);
}

int observe_frames(const struct actor *a, unsigned long addr, unsigned long len, unsigned long *pfn, int max) {
  int count = 0;
  unsigned long end = addr + len < ARENA_END && addr + len >= addr ? addr + len : ARENA_END;
  if (end - addr > LARGEST_AREA) return 0;
  for (unsigned long at = addr / PAGE_BYTES; at * PAGE_BYTES < end && count < max; at++) {
    uint64_t entry = 0;
    if (pread(a->pagemap, &entry, 8, (off_t)at * 8) != 8) break;
    if (entry & PM_PRESENT) pfn[count++] = entry & PM_FRAME;
  }
  return count;
}

void observe_settle(const unsigned long *pfn, int count) {
  for (int i = 0; i < count; i++)
    while (word_at(kpageflags, pfn[i]) & KPF_WRITEBACK) usleep(50);
}

/* What CPUs keep at hand of a kind counts as used; shrinking calls it back first. */
void observe_objects(struct text *out) {
  static const char *const kinds[] = { "anon_vma", "anon_vma_chain" };
  char path[128], name[64];
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    snprintf(path, sizeof path, "/sys/kernel/slab/%s/shrink", kinds[i]);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "1", 1) < 0) fprintf(stderr, "%s: %s\n", path, strerror(errno));
    if (fd >= 0) close(fd);
  }
  FILE *in = fopen("/proc/slabinfo", "re");
  long count;
  while (in && !feof(in)) {
    if (fscanf(in, "%63s %ld%*[^\n]", name, &count) == 2) {
      for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(name, kinds[i]) == 0) text_add(out, "\t%s %ld", name, count);
    } else if (fscanf(in, "%*[^\n]") == EOF) break;
  }
  if (in) fclose(in);
}

/* Whether a read of untouched memory maps the zero page, as in every kernel that programs are compared with. */
bool maps_zero_page(void) {
  volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), flags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
  if (page == MAP_FAILED || map < 0 || flags < 0) return false;
  (void)page[0];
  uint64_t pfn = word_at(map, (uintptr_t)page / 4096) & PM_FRAME;
  return word_at(flags, pfn) & KPF_ZERO_PAGE;
}

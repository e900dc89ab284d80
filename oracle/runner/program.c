/* From the text of a memory program to its calls: section 1 of the format. */
#include "runner.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/memfd.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Newer than some systems' headers. */
#define GUARD_INSTALL 102
#define GUARD_REMOVE 103

static const struct { const char *name; long value; } constants[] = {
#define C(name) { #name, name }
  { "NULL", 0 }, { "AT_FDCWD", AT_FDCWD }, { "MAP_FILE", 0 },
  C(PROT_NONE), C(PROT_READ), C(PROT_WRITE), C(PROT_EXEC), { "PROT_SEM", 8 }, C(PROT_GROWSDOWN), C(PROT_GROWSUP),
  C(MAP_SHARED), C(MAP_PRIVATE), C(MAP_SHARED_VALIDATE), { "MAP_DROPPABLE", 8 }, C(MAP_TYPE), C(MAP_FIXED), C(MAP_ANONYMOUS),
  { "MAP_ANON", MAP_ANONYMOUS }, C(MAP_32BIT), { "MAP_ABOVE4G", 0x80 }, C(MAP_GROWSDOWN), C(MAP_DENYWRITE), C(MAP_EXECUTABLE),
  C(MAP_LOCKED), C(MAP_NORESERVE), C(MAP_POPULATE), C(MAP_NONBLOCK), C(MAP_STACK), C(MAP_HUGETLB), C(MAP_SYNC),
  C(MAP_FIXED_NOREPLACE), C(MREMAP_MAYMOVE), C(MREMAP_FIXED), { "MREMAP_DONTUNMAP", 4 },
  C(MADV_NORMAL), C(MADV_RANDOM), C(MADV_SEQUENTIAL), C(MADV_WILLNEED), C(MADV_DONTNEED), C(MADV_FREE), C(MADV_REMOVE),
  C(MADV_DONTFORK), C(MADV_DOFORK), C(MADV_MERGEABLE), C(MADV_UNMERGEABLE), C(MADV_HUGEPAGE), C(MADV_NOHUGEPAGE),
  C(MADV_DONTDUMP), C(MADV_DODUMP), C(MADV_WIPEONFORK), C(MADV_KEEPONFORK), C(MADV_COLD), C(MADV_PAGEOUT),
  { "MADV_POPULATE_READ", 22 }, { "MADV_POPULATE_WRITE", 23 }, { "MADV_DONTNEED_LOCKED", 24 }, { "MADV_COLLAPSE", 25 },
  { "MADV_HWPOISON", 100 }, { "MADV_SOFT_OFFLINE", 101 }, { "MADV_GUARD_INSTALL", GUARD_INSTALL }, { "MADV_GUARD_REMOVE", GUARD_REMOVE },
  { "MLOCK_ONFAULT", 1 }, C(MCL_CURRENT), C(MCL_FUTURE), { "MCL_ONFAULT", 4 },
  C(MS_ASYNC), C(MS_INVALIDATE), C(MS_SYNC),
  C(O_RDONLY), C(O_WRONLY), C(O_RDWR), C(O_CREAT), C(O_EXCL), C(O_NOCTTY), C(O_TRUNC), C(O_APPEND), C(O_NONBLOCK), C(O_DIRECTORY),
  C(O_NOFOLLOW), C(O_CLOEXEC), { "O_LARGEFILE", 0100000 }, C(O_DSYNC), C(O_SYNC), C(O_NOATIME), C(O_DIRECT),
  C(SEEK_SET), C(SEEK_CUR), C(SEEK_END), C(SEEK_DATA), C(SEEK_HOLE),
  C(MFD_CLOEXEC), C(MFD_ALLOW_SEALING), C(MFD_HUGETLB), { "MFD_NOEXEC_SEAL", 8 }, { "MFD_EXEC", 16 },
  C(FALLOC_FL_KEEP_SIZE), C(FALLOC_FL_PUNCH_HOLE), C(FALLOC_FL_COLLAPSE_RANGE), C(FALLOC_FL_ZERO_RANGE), C(FALLOC_FL_INSERT_RANGE),
  C(FALLOC_FL_UNSHARE_RANGE),
  C(POSIX_FADV_NORMAL), C(POSIX_FADV_RANDOM), C(POSIX_FADV_SEQUENTIAL), C(POSIX_FADV_WILLNEED), C(POSIX_FADV_DONTNEED),
  C(POSIX_FADV_NOREUSE), C(CLONE_VM), C(CLONE_FILES), C(CLONE_VFORK),
#undef C
};

static const struct { const char *name; enum call call; int least; } calls[] = {
  { "mmap", CALL_MMAP, 6 }, { "munmap", CALL_MUNMAP, 2 }, { "mprotect", CALL_MPROTECT, 3 }, { "mremap", CALL_MREMAP, 4 },
  { "madvise", CALL_MADVISE, 3 }, { "mlock", CALL_MLOCK, 2 }, { "mlock2", CALL_MLOCK2, 3 }, { "munlock", CALL_MUNLOCK, 2 },
  { "mlockall", CALL_MLOCKALL, 1 }, { "munlockall", CALL_MUNLOCKALL, 0 }, { "msync", CALL_MSYNC, 3 }, { "mincore", CALL_MINCORE, 2 },
  { "brk", CALL_BRK, 1 }, { "remap_file_pages", CALL_REMAP_FILE_PAGES, 5 }, { "memfd_create", CALL_MEMFD_CREATE, 2 },
  { "open", CALL_OPEN, 2 }, { "openat", CALL_OPENAT, 3 }, { "close", CALL_CLOSE, 1 }, { "dup", CALL_DUP, 1 },
  { "unlink", CALL_UNLINK, 1 }, { "read", CALL_READ, 3 }, { "write", CALL_WRITE, 3 }, { "pread64", CALL_PREAD64, 4 },
  { "pwrite64", CALL_PWRITE64, 4 }, { "lseek", CALL_LSEEK, 3 }, { "ftruncate", CALL_FTRUNCATE, 2 }, { "fallocate", CALL_FALLOCATE, 4 },
  { "fsync", CALL_FSYNC, 1 }, { "fdatasync", CALL_FDATASYNC, 1 }, { "fadvise64", CALL_FADVISE64, 4 }, { "fork", CALL_FORK, 0 },
  { "vfork", CALL_FORK, 0 }, { "clone", CALL_FORK, 0 }, { "exit", CALL_EXIT, 0 }, { "exit_group", CALL_EXIT, 0 },
  { "_exit", CALL_EXIT, 0 }, { "load", CALL_LOAD, 1 }, { "store", CALL_STORE, 1 }, { "check", CALL_CHECK, 1 },
  { "swapon", CALL_SWAPON, 0 }, { "swapoff", CALL_SWAPOFF, 0 },
};

struct reader {
  struct program *p;
  int line;
  int cap;
  bool version_seen;
};

static bool refuse(const struct reader *r, const char *why) {
  fprintf(stderr, "%s:%d: %s\n", r->p->path, r->line, why);
  return false;
}

/* A name or a number from [s, end); false if it is neither. */
static bool term(const char *s, const char *end, long *value) {
  size_t len = (size_t)(end - s);
  for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
    if (strlen(constants[i].name) == len && strncmp(constants[i].name, s, len) == 0) {
      *value = constants[i].value;
      return true;
    }
  char word[64];
  if (len == 0 || len >= sizeof word) return false;
  memcpy(word, s, len);
  word[len] = 0;
  char *rest;
  bool negative = word[0] == '-';
  errno = 0;
  unsigned long number = strtoul(word + negative, &rest, 0);
  if (*rest != 0 || rest == word + negative || errno != 0) return false;
  *value = (long)(negative ? -number : number);
  return true;
}

/* Terms joined by `|`, or by `+` and `*` from left to right. */
static bool number(const char *s, const char *end, long *value) {
  *value = 0;
  char operator= '+';
  for (;;) {
    const char *stop = s + 1;
    while (stop < end && !strchr("|+*", *stop)) stop++;
    while (s < stop && *s == ' ') s++;
    const char *last = stop;
    while (last > s && last[-1] == ' ') last--;
    long v;
    if (s >= end || !term(s, last, &v)) return false;
    *value = operator== '|' ? *value | v : operator== '*' ? *value * v : *value + v;
    if (stop >= end) return true;
    operator= *stop;
    s = stop + 1;
  }
}

static bool directive(struct reader *r, char *s) {
  struct program *p = r->p;
  char *save, *word[6] = { 0 };
  int words = 0;
  for (char *w = strtok_r(s, " \t", &save); w && words < 6; w = strtok_r(NULL, " \t", &save)) word[words++] = w;
  if (p->steps > 0) return refuse(r, "a directive stands before the first call");
  if (strcmp(word[0], "%mmp") == 0) {
    if (words != 2 || strcmp(word[1], "1") != 0) return refuse(r, "only format 1 is known");
    r->version_seen = true;
    return true;
  }
  if (!r->version_seen) return refuse(r, "a program starts with '%mmp 1'");
  if (strcmp(word[0], "%title") == 0 || strcmp(word[0], "%needs") == 0) return true;
  if (words < 2) return refuse(r, "the directive needs a value");
  const char *end = word[1] + strlen(word[1]);
  long value = 0;
  if (strcmp(word[0], "%snapshot") == 0) {
    if (strcmp(word[1], "each") == 0) p->snapshot_every = 1;
    else if (strcmp(word[1], "manual") == 0) p->snapshot_every = 0;
    else if (number(word[1], end, &value) && value > 0) p->snapshot_every = value;
    else return refuse(r, "%snapshot each, manual or a number");
    return true;
  }
  if (strcmp(word[0], "%swap") == 0) return (number(word[1], end, &p->swap_mib) && p->swap_mib > 0) || refuse(r, "%swap MIB");
  if (strcmp(word[0], "%brk") == 0) return number(word[1], end, (long *)&p->brk) || refuse(r, "%brk ADDR");
  if (strcmp(word[0], "%file") != 0) return refuse(r, "unknown directive");
  if (words < 4 || !number(word[2], word[2] + strlen(word[2]), &value) || value < 0 || p->files == MAX_FILES || strlen(word[1]) >= MAX_TEXT ||
      strchr(word[1], '/'))
    return refuse(r, "%file NAME PAGES disk|shm [cached]");
  struct program_file *f = &p->file[p->files++];
  *f = (struct program_file){ .pages = value, .shm = strcmp(word[3], "shm") == 0, .cached = words > 4 && strcmp(word[4], "cached") == 0, .fd = -1 };
  strcpy(f->name, word[1]);
  return f->shm || strcmp(word[3], "disk") == 0 || refuse(r, "a file is on disk or shm");
}

/* From behind the opening bracket. */
static bool arguments(struct reader *r, struct step *step, const char *s) {
  if (*s == ')') return true;
  for (;;) {
    while (*s == ' ') s++;
    if (step->args == MAX_ARGS) return refuse(r, "too many arguments");
    struct arg *arg = &step->arg[step->args++];
    const char *end;
    if (*s == '"') {
      end = strchr(++s, '"');
      if (!end || end - s >= MAX_TEXT || memchr(s, '\\', (size_t)(end - s))) return refuse(r, "a string without end, too long or with escapes");
      arg->kind = ARG_TEXT;
      memcpy(arg->text, s, (size_t)(end - s));
      end++;
      if (strncmp(end, "...", 3) == 0) end += 3;
    } else {
      end = s + strcspn(s, ",)");
      const char *last = end;
      while (last > s && last[-1] == ' ') last--;
      bool name = islower((unsigned char)*s);
      for (const char *c = s; c < last; c++) name = name && (isalnum((unsigned char)*c) || *c == '_');
      arg->kind = name ? ARG_OUTSIDE : ARG_NUMBER;
      if (!name && !number(s, last, &arg->value)) return refuse(r, "an argument is no number and no constant that is known");
    }
    if (*end == ')') return true;
    if (*end != ',') return refuse(r, "expected ',' or ')'");
    s = end + 1;
  }
}

static bool call(struct reader *r, const char *s, int len) {
  struct program *p = r->p;
  if (p->steps == r->cap) {
    r->cap = r->cap ? 2 * r->cap : 64;
    p->step = realloc(p->step, (size_t)r->cap * sizeof *p->step);
    if (!p->step) return refuse(r, "out of memory");
  }
  struct step *step = &p->step[p->steps];
  *step = (struct step){ .line = r->line, .text = s, .text_len = len, .proc = 1, .label = -1 };
  if (len == 8 && strncmp(s, "snapshot", 8) == 0) {
    step->call = CALL_SNAPSHOT;
    p->steps++;
    return true;
  }
  char *end;
  if (strncmp(s, "[pid", 4) == 0) {
    step->proc = strtol(s + 4, &end, 10);
    if (*end != ']') return refuse(r, "[pid N]");
    s = end + 1;
  } else if (isdigit((unsigned char)*s)) {
    step->proc = strtol(s, &end, 10);
    s = end;
  }
  while (*s == ' ' || *s == '\t') s++;
  if (strncmp(s, "---", 3) == 0 || strncmp(s, "+++", 3) == 0) return true;
  const char *open = s;
  while (isalnum((unsigned char)*open) || *open == '_') open++;
  if (open == s || *open != '(') return refuse(r, "no call");
  step->call = CALL_SKIPPED;
  int least = 0;
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
    if (strlen(calls[i].name) == (size_t)(open - s) && strncmp(calls[i].name, s, (size_t)(open - s)) == 0) {
      step->call = calls[i].call;
      least = calls[i].least;
    }
  for (const char *c = open; (c = strchr(c, ')')); c++) {
    const char *q = c + 1 + strspn(c + 1, " ");
    if (*q != '=') continue;
    q += 1 + strspn(q + 1, " ");
    if (isdigit((unsigned char)*q)) step->label = strtol(q, NULL, 0);
    break;
  }
  p->steps++;
  if (step->call == CALL_SKIPPED || step->call == CALL_FORK || step->call == CALL_EXIT) return true;
  return arguments(r, step, open + 1) && (step->args >= least || refuse(r, "too few arguments"));
}

bool program_read(struct program *p, const char *path) {
  *p = (struct program){ .path = path, .snapshot_every = 1 };
  const char *slash = strrchr(path, '/');
  p->name = slash ? slash + 1 : path;
  struct reader r = { .p = p };
  FILE *in = fopen(path, "r");
  if (!in) return refuse(&r, strerror(errno));
  size_t cap = 0;
  ssize_t size = getdelim(&p->source, &cap, 0, in);
  fclose(in);
  if (size < 0) return refuse(&r, "empty");
  for (char *s = p->source, *next; s; s = next) {
    next = strchr(s, '\n');
    if (next) *next++ = 0;
    r.line++;
    s += strspn(s, " \t\r");
    size_t len = strlen(s);
    while (len > 0 && isspace((unsigned char)s[len - 1])) s[--len] = 0;
    if (len == 0 || *s == '#') continue;
    if (*s == '%') {
      if (!directive(&r, s)) return false;
    } else if (!r.version_seen) return refuse(&r, "a program starts with '%mmp 1'");
    else if (!call(&r, s, (int)len)) return false;
  }
  return r.version_seen || refuse(&r, "a program starts with '%mmp 1'");
}

void program_free(struct program *p) {
  free(p->source);
  free(p->step);
}

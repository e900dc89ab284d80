/*
 * runner -o FOLDER [-d DISKFOLDER] [-s] PROGRAM.mmp…
 * runner -p                 says what this kernel lacks, or nothing
 *
 * Runs each program on this kernel and writes FOLDER/PROGRAM.rec. Says of each on stdout, separated by tabs:
 *   recorded PROGRAM | skipped PROGRAM why | failed PROGRAM why
 * With -s, a `snapshot` line only counts kernel objects: objects PROGRAM CALL KIND N KIND N…
 * Needs root. Exits with 0 if every program was recorded or skipped for a reason.
 */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_ACTORS 4096
#define MAX_SETTLE 65536
#define MADVISE_PAGEOUT 21
/* A call that takes longer than this hangs. */
#define PATIENCE_S 120

static volatile sig_atomic_t stopped;
static struct program *program;
static struct actor *actors[MAX_ACTORS];
static int living, numbers, made;
static bool counts_objects;
static struct text out;
static const char *trouble;

static void on_stop(int sig) {
  stopped = sig;
}

/* processes */

static bool has_ended(const struct actor *a, int ms) {
  struct pollfd p = { .fd = a->pidfd, .events = POLLIN };
  return poll(&p, 1, ms) > 0;
}

static struct actor *add_actor(long label, pid_t pid, int number) {
  struct actor *a = calloc(1, sizeof *a);
  if (!a || living == MAX_ACTORS) return NULL;
  *a = (struct actor){ .label = label, .pid = pid, .number = number };
  a->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (a->pidfd >= 0) fcntl(a->pidfd, F_SETFD, FD_CLOEXEC);
  actors[living++] = a;
  return a;
}

static void remove_actor(struct actor *a) {
  for (int i = 0; i < living; i++) {
    if (actors[i] != a) continue;
    memmove(&actors[i], &actors[i + 1], (size_t)(living - i - 1) * sizeof *actors);
    living--;
    break;
  }
  observe_close(a);
  close(a->pidfd);
  free(a);
}

static struct actor *actor_of(long label) {
  for (int i = 0; i < living; i++)
    if (actors[i]->label == label) return actors[i];
  return NULL;
}

static void kill_all(void) {
  while (living > 0) {
    kill(actors[0]->pid, SIGKILL);
    has_ended(actors[0], -1);
    remove_actor(actors[0]);
  }
}

/* Hands the call in COMM to a worker. False: it died of it, or was ended. */
static bool ask(const struct actor *a) {
  struct comm *c = COMM;
  c->turn = a->number;
  int seq = __atomic_add_fetch(&c->seq, 1, __ATOMIC_SEQ_CST);
  syscall(SYS_futex, &c->seq, FUTEX_WAKE_BITSET, MAX_ACTORS, NULL, NULL, TURN_BIT(a->number));
  time_t started = time(NULL);
  for (;;) {
    int done = __atomic_load_n(&c->done, __ATOMIC_SEQ_CST);
    if (done == seq) return true;
    struct timespec wait = { .tv_nsec = 20000000 };
    bool exits = c->call == CALL_EXIT;
    if (!exits) syscall(SYS_futex, &c->done, FUTEX_WAIT, done, &wait, NULL, 0);
    if (__atomic_load_n(&c->done, __ATOMIC_SEQ_CST) == seq) return true;
    if (has_ended(a, exits ? 20 : 0)) return false;
    if (stopped || time(NULL) - started > PATIENCE_S) {
      trouble = stopped ? "interrupted" : "a call did not return";
      return false;
    }
  }
}

static struct actor *start_first(void) {
  struct comm *c = COMM;
  memset(c, 0, offsetof(struct comm, vec));
  c->brk = program->brk;
  c->turn = -1;
  c->seq = 1;
  numbers = 0;
  made = 1;
  pid_t pid = fork();
  if (pid == 0) {
    struct rlimit stack = { RLIMIT_STACK_BYTES, RLIMIT_STACK_BYTES }, core = { 0, 0 };
    setrlimit(RLIMIT_STACK, &stack);
    setrlimit(RLIMIT_CORE, &core);
    personality(ADDR_NO_RANDOMIZE);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    if (null > 2) close(null);
    fcntl(FD_COMM, F_SETFD, 0);
    char *args[] = { "revmap-worker", NULL }, *environment[] = { NULL };
    execve("/proc/self/exe", args, environment);
    _exit(127);
  }
  struct actor *a = add_actor(1, pid, 0);
  if (!a || a->pidfd < 0) return NULL;
  while (__atomic_load_n(&c->done, __ATOMIC_SEQ_CST) != 1) {
    struct timespec wait = { .tv_nsec = 20000000 };
    syscall(SYS_futex, &c->done, FUTEX_WAIT, 0, &wait, NULL, 0);
    if (has_ended(a, 0)) return NULL;
  }
  return host_allow_areas(c->own_areas) && observe_open(a) ? a : NULL;
}

/* descriptors by label */

static int fd_of(const struct actor *a, long label) {
  for (int i = a->fds - 1; i >= 0; i--)
    if (a->fd[i].label == label) return a->fd[i].fd;
  return -1;
}

static void forget_fd(struct actor *a, long label) {
  for (int i = 0; i < a->fds; i++)
    if (a->fd[i].label == label) {
      memmove(&a->fd[i], &a->fd[i + 1], (size_t)(a->fds - i - 1) * sizeof *a->fd);
      a->fds--;
      return;
    }
}

static void learn_fd(struct actor *a, long label, int fd, bool memfd) {
  forget_fd(a, label);
  if (a->fds < MAX_FDS) a->fd[a->fds++] = (struct descriptor){ label, fd, memfd };
}

/* calls */

/* Where a call finds its data, or leaves it. */
static long buffer(const struct arg *arg, long len) {
  struct comm *c = COMM;
  if (arg->kind == ARG_NUMBER) return arg->value;
  if (len > (long)COMM_DATA_BYTES) trouble = "more data than the runner has room for";
  size_t text = arg->kind == ARG_TEXT ? strlen(arg->text) : 0, room = len < 0 || len > (long)COMM_DATA_BYTES ? 0 : (size_t)len;
  memset(c->data, 0, room);
  for (size_t i = 0; text > 0 && i < room; i++) c->data[i] = (unsigned char)arg->text[i % text];
  return (long)c->data;
}

static bool takes_fd_first(enum call call) {
  return (call >= CALL_CLOSE && call <= CALL_DUP) || (call >= CALL_READ && call <= CALL_FADVISE64);
}

/* Lays the call down for its worker. */
static void lay_down(const struct step *s, const struct actor *a) {
  struct comm *c = COMM;
  const struct arg *arg = s->arg;
  c->call = s->call;
  for (int i = 0; i < MAX_ARGS; i++) c->arg[i] = arg[i].kind == ARG_NUMBER ? arg[i].value : 0;
  if (takes_fd_first(s->call)) c->arg[0] = fd_of(a, arg[0].value);
  switch (s->call) {
    case CALL_MMAP: c->arg[4] = (int)arg[4].value < 0 ? -1 : fd_of(a, arg[4].value); break;
    case CALL_READ: case CALL_WRITE: case CALL_PREAD64: case CALL_PWRITE64: c->arg[1] = buffer(&arg[1], arg[2].value); break;
    case CALL_MEMFD_CREATE: snprintf(c->path, sizeof c->path, "%s", arg[0].text); break;
    case CALL_OPEN: case CALL_OPENAT: case CALL_UNLINK: {
      int name = s->call == CALL_OPENAT;
      host_path(program, arg[name].text, c->path, sizeof c->path);
      c->arg[0] = arg[name + 1].value;
      c->call = s->call == CALL_UNLINK ? CALL_UNLINK : CALL_OPEN;
      break;
    }
    case CALL_LOAD: if (s->args < 2) c->arg[1] = 1; break;
    case CALL_STORE:
      if (s->args < 2) c->arg[1] = 1;
      if (s->args < 3) c->arg[2] = 0x5a;
      break;
    case CALL_CHECK: if (s->args < 2) c->arg[1] = (long)PAGE_BYTES; break;
    case CALL_FORK: c->child = ++numbers; break;
    default: break;
  }
}

static bool makes_fd(enum call call) {
  return call == CALL_OPEN || call == CALL_OPENAT || call == CALL_MEMFD_CREATE || call == CALL_DUP;
}

static bool returns_address(enum call call) {
  return call == CALL_MMAP || call == CALL_MREMAP || call == CALL_BRK;
}

static const char *signal_code(int sig, int code) {
  static char text[16];
  if (sig == SIGSEGV && code == SEGV_MAPERR) return "SEGV_MAPERR";
  if (sig == SIGSEGV && code == SEGV_ACCERR) return "SEGV_ACCERR";
  if (sig == SIGBUS && code == BUS_ADRERR) return "BUS_ADRERR";
  snprintf(text, sizeof text, "%d", code);
  return text;
}

static void add_errno(int error) {
  text_add(&out, ",\"ret\":-1,\"err\":\"%s\"", strerrorname_np(error));
}

/* What came of a call that went right: the format's form of it, and what the director must remember. */
static void add_result(const struct step *s, struct actor *a) {
  struct comm *c = COMM;
  long ret = c->ret;
  if (returns_address(s->call)) {
    if ((unsigned long)ret >= ARENA_START && (unsigned long)ret < ARENA_END) text_add(&out, ",\"ret\":\"0x%lx\"", ret);
    else text_add(&out, ",\"ret\":\"outside\"");
  } else if (s->call == CALL_CHECK && c->sig == 0) text_add(&out, ",\"ret\":\"0x%08lx\"", ret);
  else if (makes_fd(s->call)) {
    long label = s->label >= 0 ? s->label : ret;
    bool memfd = s->call == CALL_MEMFD_CREATE;
    for (int i = 0; s->call == CALL_DUP && i < a->fds; i++) memfd = memfd || (a->fd[i].label == s->arg[0].value && a->fd[i].memfd);
    learn_fd(a, label, (int)ret, memfd);
    text_add(&out, ",\"ret\":%ld", label);
  } else if (s->call == CALL_FORK) {
    made++;
    struct actor *child = add_actor(s->label >= 0 ? s->label : made, (pid_t)ret, c->child);
    if (!child || !observe_open(child)) trouble = "a child could not be watched";
    else {
      child->fds = a->fds;
      memcpy(child->fd, a->fd, sizeof child->fd);
      text_add(&out, ",\"ret\":%ld", child->label);
    }
  } else text_add(&out, ",\"ret\":%ld", ret);
  if (s->call == CALL_CLOSE) forget_fd(a, s->arg[0].value);
  if (s->call == CALL_MINCORE) {
    text_add(&out, ",\"vec\":\"");
    for (long i = 0; i < (s->arg[1].value + (long)PAGE_BYTES - 1) / (long)PAGE_BYTES; i++) text_add(&out, "%d", c->vec[i] & 1);
    text_add(&out, "\"");
  }
}

static void system_call(const struct step *s) {
  int error = s->call == CALL_SWAPOFF ? host_swapoff() : s->call == CALL_SWAPON ? host_swapon(program->swap_mib) : -ENOSYS;
  if (error) add_errno(-error);
  else text_add(&out, ",\"ret\":0");
}

static void process_call(const struct step *s, struct actor *a) {
  static unsigned long pfn[MAX_SETTLE];
  struct comm *c = COMM;
  int frames = 0;
  lay_down(s, a);
  if (trouble) return;
  if (s->call == CALL_MADVISE && s->arg[2].value == MADVISE_PAGEOUT)
    frames = observe_frames(a, (unsigned long)s->arg[0].value, (unsigned long)s->arg[1].value, pfn, MAX_SETTLE);
  bool answered = ask(a);
  if (trouble) return;
  if (!answered) {
    text_add(&out, ",\"ret\":null,\"%s\":true", s->call == CALL_EXIT ? "exit" : "died");
    remove_actor(a);
    return;
  }
  observe_settle(pfn, frames);
  if (c->err) add_errno(c->err);
  else add_result(s, a);
  if (c->sig)
    text_add(&out, ",\"sig\":\"SIG%s\",\"code\":\"%s\",\"addr\":\"0x%lx\"", sigabbrev_np(c->sig), signal_code(c->sig, c->code), c->addr);
  if (s->call != CALL_FORK) text_add(&out, ",\"minflt\":%ld,\"majflt\":%ld", c->minflt, c->majflt);
}

static void one_call(const struct step *s, int op) {
  text_add(&out, "{\"op\":%d,\"proc\":%ld,\"call\":", op, s->proc);
  text_json(&out, s->text, s->text_len);
  struct actor *a = actor_of(s->proc);
  host_drain();
  if (s->call == CALL_SKIPPED || (s->proc != 0 && !a)) text_add(&out, ",\"ret\":null,\"skipped\":true");
  else if (s->proc == 0) system_call(s);
  else process_call(s, a);
  text_add(&out, "}\n");
}

/* programs */

static void snapshot(int op) {
  if (!counts_objects) {
    observe_snapshot(&out, program, actors, living, op);
    if (observe_trouble) trouble = observe_trouble;
    return;
  }
  struct text objects = { 0 };
  observe_objects(&objects);
  printf("objects\t%s\t%d%s\n", program->path, op, objects.at);
  free(objects.at);
}

static void run_calls(void) {
  int op = 0, last_snap = 0;
  for (int i = 0; i < program->steps && !trouble; i++) {
    const struct step *s = &program->step[i];
    bool snap = s->call == CALL_SNAPSHOT;
    if (!snap) {
      one_call(s, ++op);
      snap = program->snapshot_every > 0 && op % program->snapshot_every == 0;
    }
    if (snap && !trouble) {
      snapshot(op);
      last_snap = op;
    }
    if (stopped) trouble = "interrupted";
  }
  if (!trouble && program->snapshot_every > 1 && last_snap != op) snapshot(op);
}

static void record(const char *folder) {
  text_reset(&out);
  observe_reset();
  trouble = NULL;
  text_add(&out, "{\"rec\":1,\"program\":");
  text_json(&out, program->name, (int)strlen(program->name));
  text_add(&out, ",\"kernel\":\"%s\",\"arch\":\"x86_64\",\"page\":%lu,\"arena\":[\"0x%lx\",\"0x%lx\"],\"uid\":0}\n", host_kernel, PAGE_BYTES,
           ARENA_START, ARENA_END);
  if (!host_make_files(program)) trouble = "its files could not be made";
  else if (program->swap_mib > 0 && host_first_swapon(program->swap_mib) != 0) trouble = "swap could not be turned on";
  else if (!start_first()) trouble = "its first process could not be started";
  if (!trouble) run_calls();
  kill_all();
  host_remove_files(program);
  host_swapoff();
  if (trouble) return;
  char path[8192];
  const char *dot = strrchr(program->name, '.');
  snprintf(path, sizeof path, "%s/%.*s.rec", folder, dot ? (int)(dot - program->name) : (int)strlen(program->name), program->name);
  FILE *to = fopen(path, "w");
  bool written = to && fwrite(out.at, 1, out.len, to) == out.len;
  if ((to && fclose(to) != 0) || !written) trouble = "its recording could not be written";
}

/* The machine is one: one CPU for all, and no other runner beside. */
static bool enter(const char *disk_dir) {
  if (geteuid() != 0) {
    fprintf(stderr, "the runner needs root: frames, their flags and swap are for root only\n");
    return false;
  }
  int lock = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock < 0 || flock(lock, LOCK_EX) != 0) return false;
  cpu_set_t all, one;
  CPU_ZERO(&one);
  if (sched_getaffinity(0, sizeof all, &all) != 0) return false;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, &all)) {
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
    }
  struct rlimit files = { 16384, 16384 };
  struct sigaction stop = { .sa_handler = on_stop };
  sigaction(SIGINT, &stop, NULL);
  sigaction(SIGTERM, &stop, NULL);
  sigaction(SIGHUP, &stop, NULL);
  signal(SIGCHLD, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  setpriority(PRIO_PROCESS, 0, -20); /* a call is many switches between two processes */
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_PDEATHSIG, SIGTERM); /* whoever asked is gone: put everything back */
  setrlimit(RLIMIT_NOFILE, &files);
  int fd = memfd_create("revmap", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, sizeof(struct comm)) != 0 || dup2(fd, FD_COMM) < 0) return false;
  close(fd);
  fcntl(FD_COMM, F_SETFD, FD_CLOEXEC);
  if (mmap(COMM, sizeof *COMM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, FD_COMM, 0) != COMM) return false;
  return sched_setaffinity(0, sizeof one, &one) == 0 && host_enter(disk_dir);
}

int main(int argc, char **argv) {
  if (strcmp(argv[0], "revmap-worker") == 0) worker_main();
  const char *folder = NULL, *disk_dir = "/var/tmp";
  for (int option; (option = getopt(argc, argv, "o:d:ps")) != -1;) {
    if (option == 'o') folder = optarg;
    else if (option == 'd') disk_dir = optarg;
    else if (option == 's') counts_objects = true;
    else if (option == 'p') {
      if (!maps_zero_page()) puts("this kernel maps no zero page where untouched memory is read");
      return 0;
    }
    else return 2;
  }
  if (!folder || optind == argc) {
    fprintf(stderr, "runner -o FOLDER [-d FOLDER ON EXT4] [-s] PROGRAM.mmp...\n");
    return 2;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  bool entered = enter(disk_dir), failed = !entered;
  for (int i = optind; i < argc && entered && !stopped; i++) {
    struct program p;
    program = &p;
    if (!program_read(&p, argv[i])) {
      printf("failed\t%s\tno program\n", argv[i]);
      failed = true;
      continue;
    }
    const char *lacks = host_lacks(&p);
    if (!lacks) record(folder);
    if (lacks) printf("skipped\t%s\t%s\n", argv[i], lacks);
    else if (trouble) printf("failed\t%s\t%s\n", argv[i], trouble);
    else printf("recorded\t%s\n", argv[i]);
    failed = failed || (!lacks && trouble);
    program_free(&p);
  }
  host_leave();
  return failed || stopped ? 1 : 0;
}

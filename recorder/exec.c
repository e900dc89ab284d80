/*
 * execve: QEMU would let the kernel start the program natively, and it would be lost. So we start it, under a QEMU of its own.
 *
 * Owns      what is followed: ELF programs for x86-64, and scripts whose interpreter is one.
 * Promises  A call that would fail is left to QEMU, which makes it and gives the program its error.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder.h"

/* As many scripts may be run by scripts (BINPRM_MAX_RECURSION), and their first line is so long (BINPRM_BUF_SIZE). */
#define SCRIPTS 5
#define LINE_BYTES 256
#define EMPTY_PATH 0x1000

char plugin_path[PATH_MAX], qemu_path[PATH_MAX];

enum kind { OURS, SCRIPT, OTHER };

/* What the file is; of a script also `interpreter` and `argument` (empty if it has none). */
static enum kind examine(const char *path, char *interpreter, char *argument) {
    unsigned char head[LINE_BYTES + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return OTHER;
    ssize_t got = read(fd, head, LINE_BYTES);
    struct stat st;
    if (fstat(fd, &st) == 0 && (st.st_mode & S_ISUID) != 0 && st.st_uid != geteuid()) {
        atomic_fetch_or(&control->unseen, UNSEEN_SETUID);
    }
    close(fd);
    if (got < 4) return OTHER;
    head[got] = '\0';
    if (head[0] == '#' && head[1] == '!') {
        char *line = (char *)head + 2;
        line[strcspn(line, "\n")] = '\0';
        line += strspn(line, " \t");
        size_t length = strcspn(line, " \t");
        snprintf(interpreter, LINE_BYTES, "%.*s", (int)length, line);
        line += length;
        line += strspn(line, " \t");
        size_t end = strlen(line);
        while (end > 0 && (line[end - 1] == ' ' || line[end - 1] == '\t')) end--;
        snprintf(argument, LINE_BYTES, "%.*s", (int)end, line);
        return interpreter[0] == '\0' ? OTHER : SCRIPT;
    }
    const Elf64_Ehdr *elf = (const Elf64_Ehdr *)head;
    if (got < (ssize_t)sizeof *elf || memcmp(head, ELFMAG, SELFMAG) != 0) return OTHER;
    if (head[EI_CLASS] == ELFCLASS64 && elf->e_machine == EM_X86_64) return OURS;
    atomic_fetch_or(&control->unseen, UNSEEN_NATIVE);
    return OTHER;
}

static size_t count(char **vector) {
    size_t n = 0;
    while (vector != NULL && vector[n] != NULL) n++;
    return n;
}

/* Where the call says the program is. */
static bool path_of(int64_t nr, const uint64_t *a, char *path) {
    const char *name = (const char *)(nr == SYS_execveat ? a[1] : a[0]);
    int flags = nr == SYS_execveat ? (int)a[4] : 0;
    int at = nr == SYS_execveat ? (int)a[0] : AT_FDCWD;
    /* The kernel looks at the address for us. */
    if (faccessat(at, name, F_OK, 0) != 0 && errno == EFAULT) return false;
    if (strlen(name) >= PATH_MAX / 2) return false;
    if (name[0] == '\0' && (flags & EMPTY_PATH) != 0) snprintf(path, PATH_MAX, "/proc/self/fd/%d", at);
    else if (name[0] == '/' || at == AT_FDCWD) snprintf(path, PATH_MAX, "%s", name);
    else snprintf(path, PATH_MAX, "/proc/self/fd/%d/%s", at, name);
    /* QEMU shows a program itself under this name. */
    char own[64];
    snprintf(own, sizeof own, "/proc/%d/exe", getpid());
    if (strcmp(path, "/proc/self/exe") == 0 || strcmp(path, own) == 0) snprintf(path, PATH_MAX, "%s", program_path);
    struct stat st;
    return access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

void follow_exec(int64_t nr, const uint64_t *a) {
    char path[PATH_MAX], interpreters[SCRIPTS][LINE_BYTES], arguments[SCRIPTS][LINE_BYTES], scripts[SCRIPTS][PATH_MAX];
    if (!path_of(nr, a, path)) return;
    unsigned depth = 0;
    for (;;) {
        char interpreter[LINE_BYTES], argument[LINE_BYTES];
        enum kind kind = examine(path, interpreter, argument);
        if (kind == OURS) break;
        if (kind == OTHER || depth == SCRIPTS || access(interpreter, X_OK) != 0) return;
        snprintf(interpreters[depth], LINE_BYTES, "%s", interpreter);
        snprintf(arguments[depth], LINE_BYTES, "%s", argument);
        snprintf(scripts[depth], PATH_MAX, "%s", path);
        snprintf(path, sizeof path, "%s", interpreter);
        depth++;
    }

    char **argv = (char **)(nr == SYS_execveat ? a[2] : a[1]);
    char **envp = (char **)(nr == SYS_execveat ? a[3] : a[2]);
    size_t given = count(argv), variables = count(envp);
    char **command = calloc(given + 3 * SCRIPTS + 2 * variables + 16, sizeof *command);
    char **environment = calloc(variables + 1, sizeof *environment);
    char *option = malloc(5 * PATH_MAX);
    if (command == NULL || environment == NULL || option == NULL) goto failed;
    snprintf(option, 5 * PATH_MAX, "%s,folder=%s,window=%u,plugin=%s,qemu=%s", plugin_path, folder, window_pages, plugin_path,
             qemu_path);
    size_t n = 0;
    command[n++] = qemu_path;
    command[n++] = "-plugin";
    command[n++] = option;
    size_t kept = 0;
    for (size_t i = 0; i < variables; i++) {
        /* What is for the program's ld.so must not reach QEMU's own. */
        if (strncmp(envp[i], "LD_", 3) != 0) environment[kept++] = envp[i];
        else if (strchr(envp[i], ',') == NULL) command[n++] = "-E", command[n++] = envp[i];
    }
    command[n++] = "-0";
    command[n++] = depth > 0 ? interpreters[depth - 1] : given > 0 ? argv[0] : path;
    command[n++] = path;
    /* A script is an argument of its interpreter, behind the one that its first line may give. */
    for (unsigned level = depth; level-- > 0;) {
        if (arguments[level][0] != '\0') command[n++] = arguments[level];
        command[n++] = scripts[level];
    }
    for (size_t i = 1; i < given; i++) command[n++] = argv[i];
    execve(qemu_path, command, environment);
failed:
    free(command);
    free(environment);
    free(option);
}

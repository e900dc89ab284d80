/*
 * What a program looks like before its first instruction: its mappings with their files, and the addresses that the kernel knows.
 *
 * Owns      the file `image.N`: `command`, `elf` and `map` lines as docs/recording.md has them.
 *
 * The auxiliary vector on the stack leads to the program's headers and to its interpreter; /proc/self/maps knows the files. Guest
 * addresses are host addresses (guest base 0), so both can be read as they are.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "recorder.h"

#define PAGE 4096ull
#define MOST_SEGMENTS 32
#define COMMAND_BYTES 4000
#define TABLES_WITHIN (64ull << 20)

char program_path[PATH_MAX];
uint64_t hidden_from, hidden_to;

struct segments {
    unsigned count;
    struct {
        uint64_t start, end;
        bool execute;
    } each[MOST_SEGMENTS];
};

/* The vectors that execve left on the stack. */
struct vectors {
    uint64_t *argc, *auxv;
    uint64_t phdr, phnum, base, entry;
};

struct map {
    uint64_t start, end, offset;
    char flags[5], device[16];
    uint64_t inode;
    char path[PATH_MAX];
};

static bool next_map(FILE *maps, struct map *map) {
    char line[PATH_MAX + 128];
    if (fgets(line, sizeof line, maps) == NULL) return false;
    int path_at = 0;
    unsigned long start, end, offset, inode;
    if (sscanf(line, "%lx-%lx %4s %lx %15s %lu %n", &start, &end, map->flags, &offset, map->device, &inode, &path_at) < 6) {
        return false;
    }
    map->start = start;
    map->end = end;
    map->offset = offset;
    map->inode = inode;
    line[strcspn(line, "\n")] = '\0';
    snprintf(map->path, sizeof map->path, "%s", line + path_at);
    return true;
}

/* An address in the stack's mapping leads to its vectors: AT_PHDR, AT_PHENT and AT_PHNUM stand in line, argv and envp before. */
static bool find_vectors(struct vectors *v, const struct map *stack) {
    uint64_t *first = (uint64_t *)stack->start, *last = (uint64_t *)stack->end;
    for (uint64_t *at = last - 16; at > first + 8; at--) {
        if (at[0] != AT_PHDR || at[2] != AT_PHENT || at[3] != sizeof(Elf64_Phdr) || at[4] != AT_PHNUM) continue;
        v->auxv = at;
        v->phdr = at[1];
        v->phnum = at[5];
        v->base = v->entry = 0;
        for (uint64_t *pair = at; pair < last - 1 && pair[0] != AT_NULL; pair += 2) {
            if (pair[0] == AT_BASE) v->base = pair[1];
            if (pair[0] == AT_ENTRY) v->entry = pair[1];
        }
        /* Down over the environment, its end, the arguments, theirs, to how many they are. */
        uint64_t *down = at - 2;
        while (down > first && *down != 0) down--;
        uint64_t arguments = 0;
        for (down--; down > first && *down != arguments; down--) arguments++;
        v->argc = down;
        return down > first;
    }
    return false;
}

/* The loaded segments of an ELF image, whole pages. */
static void find_segments(struct segments *s, const Elf64_Phdr *headers, unsigned count, uint64_t bias) {
    s->count = 0;
    for (unsigned i = 0; i < count && s->count < MOST_SEGMENTS; i++) {
        const Elf64_Phdr *p = &headers[i];
        if (p->p_type != PT_LOAD) continue;
        s->each[s->count].start = (bias + p->p_vaddr) & ~(PAGE - 1);
        s->each[s->count].end = (bias + p->p_vaddr + p->p_memsz + PAGE - 1) & ~(PAGE - 1);
        s->each[s->count].execute = (p->p_flags & PF_X) != 0;
        s->count++;
    }
}

static void write_address(FILE *out, const char *name, uint64_t address) {
    fprintf(out, "elf %s 0x%016lx\n", name, (unsigned long)address);
}

/* The part of a mapping that is in [start, end). */
static void write_map(FILE *out, const struct map *map, uint64_t start, uint64_t end, bool execute) {
    uint64_t from = map->start > start ? map->start : start;
    uint64_t to = map->end < end ? map->end : end;
    if (from >= to) return;
    fprintf(out, "map %lx %lx %c%c%c", (unsigned long)from, (unsigned long)to, map->flags[0], map->flags[1],
            execute ? 'x' : '-');
    struct stat st;
    if (map->inode != 0 && map->path[0] == '/' && stat(map->path, &st) == 0) {
        fprintf(out, " %lx %s %lu %lu %s", (unsigned long)(map->offset + from - map->start), map->device,
                (unsigned long)map->inode, (unsigned long)st.st_size, map->path);
    }
    fputc('\n', out);
}

static void write_command(FILE *out, const struct vectors *v) {
    unsigned room = COMMAND_BYTES;
    fputs("command", out);
    for (uint64_t i = 1; i <= v->argc[0] && room > 0; i++) {
        fputc(' ', out);
        for (const char *c = (const char *)v->argc[i]; *c != '\0' && room > 0; c++, room--) {
            fputc((unsigned char)*c < ' ' || *c == 127 ? '?' : *c, out);
        }
    }
    fputc('\n', out);
}

static void write_addresses(FILE *out, const struct vectors *v, const Elf64_Phdr *headers, uint64_t bias, uint64_t entry) {
    uint64_t start_code = UINT64_MAX, end_code = 0, start_data = UINT64_MAX, end_data = 0, brk = 0;
    for (unsigned i = 0; i < v->phnum; i++) {
        const Elf64_Phdr *p = &headers[i];
        if (p->p_type != PT_LOAD) continue;
        uint64_t start = bias + p->p_vaddr, file_end = start + p->p_filesz, end = start + p->p_memsz;
        if ((p->p_flags & PF_X) != 0 && start < start_code) start_code = start;
        if ((p->p_flags & PF_X) != 0 && file_end > end_code) end_code = file_end;
        if ((p->p_flags & PF_W) != 0 && start < start_data) start_data = start;
        if ((p->p_flags & PF_W) != 0 && file_end > end_data) end_data = file_end;
        if (end > brk) brk = end;
    }
    write_address(out, "start_code", start_code);
    write_address(out, "end_code", end_code);
    if (start_data != UINT64_MAX) write_address(out, "start_data", start_data);
    if (start_data != UINT64_MAX) write_address(out, "end_data", end_data);
    write_address(out, "brk", brk);
    write_address(out, "entry", entry);
    uint64_t *argv = v->argc + 1, *envp = argv + v->argc[0] + 1;
    write_address(out, "start_stack", (uint64_t)v->argc);
    write_address(out, "argv_start", (uint64_t)argv);
    write_address(out, "env_start", (uint64_t)envp);
    write_address(out, "auxv_start", (uint64_t)v->auxv);
}

/*
 * QEMU keeps the tables of segments and interrupts of an x86 processor in the program's memory, a page each, anonymous, above its
 * stack; they may be in line with what the interpreter has behind its file.
 */
static void hide_tables(const struct map *map, uint64_t stack_end, const struct segments *interpreter) {
    if (map->inode != 0 || map->flags[1] != 'w' || map->path[0] != '\0') return;
    if (map->start < stack_end || map->start > stack_end + TABLES_WITHIN) return;
    uint64_t start = map->start;
    for (unsigned i = 0; i < interpreter->count; i++) {
        uint64_t end = interpreter->each[i].end;
        if (end > start && end <= map->end) start = end;
    }
    if (start == map->end || map->end - start > 4 * PAGE) return;
    hidden_from = start / PAGE;
    hidden_to = map->end / PAGE;
}

static void write_image(FILE *out, FILE *maps, struct map *map) {
    struct vectors v;
    uint64_t stack = 0, stack_end = 0;
    /* Guests get their stack as 8 MiB and more of private memory below 2^39, above a page that nobody may touch. */
    while (stack == 0 && next_map(maps, map)) {
        if (map->inode == 0 && map->flags[0] == 'r' && map->flags[1] == 'w' && map->end - map->start >= 1 << 20 &&
            find_vectors(&v, map)) {
            stack = map->start;
            stack_end = map->end;
        }
    }
    if (stack == 0) return;
    const Elf64_Phdr *headers = (const Elf64_Phdr *)v.phdr;
    uint64_t bias = 0;
    for (unsigned i = 0; i < v.phnum; i++) {
        if (headers[i].p_type == PT_PHDR) bias = v.phdr - headers[i].p_vaddr;
    }
    struct segments program, interpreter = {0};
    find_segments(&program, headers, v.phnum, bias);
    uint64_t entry = v.entry;
    if (v.base != 0) {
        const Elf64_Ehdr *elf = (const Elf64_Ehdr *)v.base;
        find_segments(&interpreter, (const Elf64_Phdr *)(v.base + elf->e_phoff), elf->e_phnum, v.base);
        entry = v.base + elf->e_entry;
    }
    write_command(out, &v);
    write_addresses(out, &v, headers, bias, entry);
    rewind(maps);
    while (next_map(maps, map)) {
        hide_tables(map, stack_end, &interpreter);
        if (map->start <= v.phdr && v.phdr < map->end) snprintf(program_path, sizeof program_path, "%s", map->path);
        if (map->start == stack) write_map(out, map, map->start, map->end, false);
        for (unsigned i = 0; i < program.count; i++) {
            write_map(out, map, program.each[i].start, program.each[i].end, program.each[i].execute);
        }
        for (unsigned i = 0; i < interpreter.count; i++) {
            write_map(out, map, interpreter.each[i].start, interpreter.each[i].end, interpreter.each[i].execute);
        }
    }
}

void describe_image(unsigned number) {
    char name[PATH_MAX + 32];
    snprintf(name, sizeof name, "%s/image.%u", folder, number);
    FILE *out = fopen(name, "wxe");
    FILE *maps = fopen("/proc/self/maps", "re");
    struct map *map = malloc(sizeof *map);
    if (out != NULL && maps != NULL && map != NULL) write_image(out, maps, map);
    free(map);
    if (maps != NULL) fclose(maps);
    if (out != NULL) fclose(out);
}

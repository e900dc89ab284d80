/*
 * What a recorder must not lose: threads, a tree of processes, an exec, a file that is made, written, mapped and removed.
 *
 *     tree FILE            all of it; status 42 if all went well
 *     tree FILE again      what a grandchild execs: reads FILE; status 7
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define THREADS 4
#define PAGES_EACH 100
#define FILE_PAGES 50
#define CHILDREN 3
#define PAGES_OF_CHILD 20

static char *shared;

static void *work(void *number) {
    char *own = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 64; i++) own[i * PAGE] = 1;
    munmap(own, 64 * PAGE);
    for (int i = 0; i < PAGES_EACH; i++) shared[((long)number * PAGES_EACH + i) * PAGE] = 1;
    return NULL;
}

static int child(int number, char **argv) {
    for (int i = 0; i < PAGES_OF_CHILD; i++) shared[(THREADS * PAGES_EACH + number * PAGES_OF_CHILD + i) * PAGE] = 1;
    if (number == CHILDREN - 1) {
        execl(argv[0], argv[0], argv[1], "again", NULL);
        return 1;
    }
    pid_t pid = fork();
    if (pid == 0) _exit(7);
    int status;
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
}

int main(int argc, char **argv) {
    char page[PAGE];
    if (argc > 2) return read(open(argv[1], O_RDONLY), page, PAGE) == PAGE ? 7 : 1;
    shared = mmap(NULL, 1000 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    int fd = open(argv[1], O_RDWR | O_CREAT | O_EXCL, 0600);
    memset(page, 1, PAGE);
    for (int i = 0; i < FILE_PAGES; i++) {
        if (write(fd, page, PAGE) != PAGE) return 1;
    }
    char *map = mmap(NULL, FILE_PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    int sum = 0;
    for (int i = 0; i < FILE_PAGES; i++) sum += map[i * PAGE];
    for (int i = 0; i < CHILDREN; i++) {
        if (fork() == 0) _exit(child(i, argv));
    }
    int ended = 0, status;
    while (wait(&status) > 0) ended += WEXITSTATUS(status) == 7;
    unlink(argv[1]);
    return sum == FILE_PAGES && ended == CHILDREN ? 42 : 1;
}

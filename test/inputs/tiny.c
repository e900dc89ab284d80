/*
 * A program of 30 system calls, for logs that fit in a test: no libc, so that nothing else is in them.
 * gcc -O1 -nostdlib -static -fno-stack-protector -fcf-protection=none -o tiny tiny.c; docs/inputs.md has the commands of the logs.
 */
typedef unsigned long word;

static long call(long nr, word a, word b, word c, word d, word e, word f) {
  register word r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  long ret;
  __asm__ volatile("syscall"
                   : "=a"(ret)
                   : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return ret;
}

static void touch(volatile char *at, int pages) {
  for (int i = 0; i < pages; i++) at[4096 * i] = 1;
}

void run(void) {
  static char name[] = "/etc/passwd";
  char *memory = (char *)call(9, 0, 1 << 16, 3, 0x22, -1, 0); /* mmap */
  long fd = call(257, -100, (word)name, 0, 0, 0, 0);          /* openat */
  call(0, fd, (word)memory, 4096, 0, 0, 0);                   /* read */
  call(17, fd, (word)memory + 4096, 100, 8, 0, 0);            /* pread64 */
  touch((char *)call(9, 0, 4096, 3, 2, fd, 0), 1);            /* a private page of the file */
  call(3, fd, 0, 0, 0, 0, 0);
  touch(memory, 8);
  word heap = call(12, 0, 0, 0, 0, 0, 0);
  call(12, heap + 8192, 0, 0, 0, 0, 0);
  touch((char *)heap, 2);
  long child = call(57, 0, 0, 0, 0, 0, 0); /* fork */
  if (child == 0) {
    touch(memory + 4 * 4096, 8);
    call(231, 3, 0, 0, 0, 0, 0);
  }
  call(61, child, 0, 0, 0, 0, 0);                       /* wait4 */
  call(25, (word)memory, 1 << 16, 1 << 17, 1, 0, 0);    /* mremap, which may move it */
  call(28, heap, 4096, 4, 0, 0, 0);                     /* madvise DONTNEED */
  call(257, -100, (word) "/no/such\tfile", 0, 0, 0, 0); /* ENOENT, and a tab in a name */
  call(231, 0, 0, 0, 0, 0, 0);
}

__asm__(".globl _start\n_start:\n  and $-16, %rsp\n  call run\n");

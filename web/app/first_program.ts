/** What runs before anything was opened: small, and with one of each kind of sharing. */
export const FIRST_PROGRAM = `%mmp 1
%title A file, private memory, and a fork that shares both
# 16 pages of a file, already in the page cache
%file data 16 disk cached
# process 1 maps the file, and 8 pages of its own
1 open("data", O_RDWR) = 3
1 mmap(0x100000000000, 65536, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 3, 0)
1 mmap(0x100000100000, 32768, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0)
1 load(0x100000000000, 32768)
1 store(0x100000100000, 32768, 1)
# a child shares every page …
1 fork() = 2
# … until one of them writes
2 store(0x100000100000, 8192, 2)
2 store(0x100000000000, 4096, 3)
1 store(0x100000102000, 4096, 4)
# a grandchild, and memory that is locked
2 fork() = 3
3 mlock(0x100000104000, 8192)
3 munmap(0x100000106000, 4096)
2 exit_group(0)
3 load(0x100000100000, 24576)
`;

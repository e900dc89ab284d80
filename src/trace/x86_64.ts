/**
 * The system calls of x86-64, by number.
 *
 * Owns      numbers and names, and which calls leave memory as it is.
 * Linux     6.18 arch/x86/entry/syscalls/syscall_64.tbl
 */

/** From 0 on. */
const FIRST_NAMES =
  'read write open close stat fstat lstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask ' +
  'rt_sigreturn ioctl pread64 pwrite64 readv writev access pipe select sched_yield mremap msync mincore madvise ' +
  'shmget shmat shmctl dup dup2 pause nanosleep getitimer alarm setitimer getpid sendfile socket connect accept ' +
  'sendto recvfrom sendmsg recvmsg shutdown bind listen getsockname getpeername socketpair setsockopt getsockopt ' +
  'clone fork vfork execve exit wait4 kill uname semget semop semctl shmdt msgget msgsnd msgrcv msgctl fcntl flock ' +
  'fsync fdatasync truncate ftruncate getdents getcwd chdir fchdir rename mkdir rmdir creat link unlink symlink ' +
  'readlink chmod fchmod chown fchown lchown umask gettimeofday getrlimit getrusage sysinfo times ptrace getuid ' +
  'syslog getgid setuid setgid geteuid getegid setpgid getppid getpgrp setsid setreuid setregid getgroups setgroups ' +
  'setresuid getresuid setresgid getresgid getpgid setfsuid setfsgid getsid capget capset rt_sigpending ' +
  'rt_sigtimedwait rt_sigqueueinfo rt_sigsuspend sigaltstack utime mknod uselib personality ustat statfs fstatfs ' +
  'sysfs getpriority setpriority sched_setparam sched_getparam sched_setscheduler sched_getscheduler ' +
  'sched_get_priority_max sched_get_priority_min sched_rr_get_interval mlock munlock mlockall munlockall vhangup ' +
  'modify_ldt pivot_root _sysctl prctl arch_prctl adjtimex setrlimit chroot sync acct settimeofday mount umount2 ' +
  'swapon swapoff reboot sethostname setdomainname iopl ioperm create_module init_module delete_module ' +
  'get_kernel_syms query_module quotactl nfsservctl getpmsg putpmsg afs_syscall tuxcall security gettid readahead ' +
  'setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr ' +
  'lremovexattr fremovexattr tkill time futex sched_setaffinity sched_getaffinity set_thread_area io_setup ' +
  'io_destroy io_getevents io_submit io_cancel get_thread_area lookup_dcookie epoll_create epoll_ctl_old ' +
  'epoll_wait_old remap_file_pages getdents64 set_tid_address restart_syscall semtimedop fadvise64 timer_create ' +
  'timer_settime timer_gettime timer_getoverrun timer_delete clock_settime clock_gettime clock_getres ' +
  'clock_nanosleep exit_group epoll_wait epoll_ctl tgkill utimes vserver mbind set_mempolicy get_mempolicy mq_open ' +
  'mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr kexec_load waitid add_key request_key keyctl ' +
  'ioprio_set ioprio_get inotify_init inotify_add_watch inotify_rm_watch migrate_pages openat mkdirat mknodat ' +
  'fchownat futimesat newfstatat unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat pselect6 ppoll ' +
  'unshare set_robust_list get_robust_list splice tee sync_file_range vmsplice move_pages utimensat epoll_pwait ' +
  'signalfd timerfd_create eventfd fallocate timerfd_settime timerfd_gettime accept4 signalfd4 eventfd2 ' +
  'epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev rt_tgsigqueueinfo perf_event_open recvmmsg fanotify_init ' +
  'fanotify_mark prlimit64 name_to_handle_at open_by_handle_at clock_adjtime syncfs sendmmsg setns getcpu ' +
  'process_vm_readv process_vm_writev kcmp finit_module sched_setattr sched_getattr renameat2 seccomp getrandom ' +
  'memfd_create kexec_file_load bpf execveat userfaultfd membarrier mlock2 copy_file_range preadv2 pwritev2 ' +
  'pkey_mprotect pkey_alloc pkey_free statx io_pgetevents rseq';

/** From 424 on: numbers that all architectures share. */
const SHARED_FROM = 424;
const SHARED_NAMES =
  'pidfd_send_signal io_uring_setup io_uring_enter io_uring_register open_tree move_mount fsopen fsconfig fsmount ' +
  'fspick pidfd_open clone3 close_range openat2 pidfd_getfd faccessat2 process_madvise epoll_pwait2 mount_setattr ' +
  'quotactl_fd landlock_create_ruleset landlock_add_rule landlock_restrict_self memfd_secret process_mrelease ' +
  'futex_waitv set_mempolicy_home_node cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue ' +
  'statmount listmount lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal';

const NAMES: ReadonlyMap<number, string> = new Map([
  ...FIRST_NAMES.split(' ').map((name, nr): [number, string] => [nr, name]),
  ...SHARED_NAMES.split(' ').map((name, at): [number, string] => [SHARED_FROM + at, name]),
]);

const NUMBERS: ReadonlyMap<string, number> = new Map([...NAMES].map(([nr, name]) => [name, nr]));

/** 9 for `mmap`; undefined for what x86-64 does not have. */
export function syscallNumber(name: string): number | undefined {
  return NUMBERS.get(name);
}

/** `mmap` for 9. */
export function syscallName(nr: number): string {
  return NAMES.get(nr) ?? `syscall ${nr}`;
}

export const SYS_read = 0;
export const SYS_write = 1;
export const SYS_open = 2;
export const SYS_close = 3;
export const SYS_lseek = 8;
export const SYS_mmap = 9;
export const SYS_mprotect = 10;
export const SYS_munmap = 11;
export const SYS_brk = 12;
export const SYS_pread64 = 17;
export const SYS_pwrite64 = 18;
export const SYS_readv = 19;
export const SYS_writev = 20;
export const SYS_mremap = 25;
export const SYS_msync = 26;
export const SYS_mincore = 27;
export const SYS_madvise = 28;
export const SYS_dup = 32;
export const SYS_sendfile = 40;
export const SYS_sendto = 44;
export const SYS_recvfrom = 45;
export const SYS_sendmsg = 46;
export const SYS_recvmsg = 47;
export const SYS_dup2 = 33;
export const SYS_clone = 56;
export const SYS_fork = 57;
export const SYS_vfork = 58;
export const SYS_execve = 59;
export const SYS_exit = 60;
export const SYS_wait4 = 61;
export const SYS_fcntl = 72;
export const SYS_fsync = 74;
export const SYS_fdatasync = 75;
export const SYS_ftruncate = 77;
export const SYS_creat = 85;
export const SYS_rename = 82;
export const SYS_link = 86;
export const SYS_unlink = 87;
export const SYS_mlock = 149;
export const SYS_munlock = 150;
export const SYS_mlockall = 151;
export const SYS_munlockall = 152;
export const SYS_remap_file_pages = 216;
export const SYS_fadvise64 = 221;
export const SYS_exit_group = 231;
export const SYS_waitid = 247;
export const SYS_openat = 257;
export const SYS_unlinkat = 263;
export const SYS_renameat = 264;
export const SYS_linkat = 265;
export const SYS_fallocate = 285;
export const SYS_dup3 = 292;
export const SYS_preadv = 295;
export const SYS_pwritev = 296;
export const SYS_renameat2 = 316;
export const SYS_copy_file_range = 326;
export const SYS_memfd_create = 319;
export const SYS_mlock2 = 325;
export const SYS_clone3 = 435;
export const SYS_execveat = 322;

/**
 * Calls that change no mapping and no page cache. What they write into the program's memory (a struct stat, a time) lies
 * in pages that it is just using.
 */
const WITHOUT_EFFECT =
  'stat fstat lstat poll rt_sigaction rt_sigprocmask rt_sigreturn ioctl access pipe pipe2 select sched_yield pause ' +
  'nanosleep getitimer alarm setitimer getpid socket connect accept shutdown bind listen getsockname getpeername ' +
  'socketpair setsockopt getsockopt kill uname flock getcwd chdir fchdir mkdir rmdir readlink chmod fchmod chown ' +
  'fchown lchown umask gettimeofday getrlimit getrusage sysinfo times getuid syslog getgid setuid setgid geteuid ' +
  'getegid setpgid getppid getpgrp setsid setreuid setregid getgroups setgroups setresuid getresuid setresgid ' +
  'getresgid getpgid setfsuid setfsgid getsid capget capset rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack ' +
  'utime personality statfs fstatfs getpriority setpriority sched_setparam sched_getparam sched_setscheduler ' +
  'sched_getscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval prctl arch_prctl ' +
  'setrlimit gettid getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr tkill time futex sched_setaffinity ' +
  'sched_getaffinity epoll_create getdents getdents64 set_tid_address restart_syscall timer_create timer_settime ' +
  'timer_gettime timer_getoverrun timer_delete clock_gettime clock_getres clock_nanosleep epoll_wait epoll_ctl ' +
  'tgkill utimes symlink symlinkat mknod mknodat inotify_init inotify_add_watch inotify_rm_watch mkdirat newfstatat readlinkat fchmodat fchownat ' +
  'faccessat pselect6 ppoll set_robust_list get_robust_list utimensat epoll_pwait signalfd timerfd_create eventfd ' +
  'timerfd_settime timerfd_gettime accept4 signalfd4 eventfd2 epoll_create1 inotify_init1 prlimit64 getcpu seccomp ' +
  'getrandom membarrier statx rseq faccessat2 epoll_pwait2 close_range pidfd_open sched_setattr sched_getattr';

const EFFECTLESS: ReadonlySet<string> = new Set(WITHOUT_EFFECT.split(' '));

export function leavesMemoryAlone(nr: number): boolean {
  return EFFECTLESS.has(syscallName(nr));
}

/** Calls that may start a process; a recorder writes them twice, before with result 0, and after. */
export function isFork(nr: number): boolean {
  return nr === SYS_clone || nr === SYS_fork || nr === SYS_vfork || nr === SYS_clone3;
}

export const F_DUPFD = 0;
export const F_DUPFD_CLOEXEC = 1030;

/** Of mmap's flags and clone's, what a survey must know. */
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
export const CLONE_THREAD = 0x10000;

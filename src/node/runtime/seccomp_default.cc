#include "node/runtime/seccomp_default.h"

#include <cerrno>
#include <sys/socket.h>
#include <string_view>

namespace kinglet::runtime {
namespace {

// By name; those that an architecture lacks are skipped by the runtime. 32-bit variants are in, for arm.
constexpr std::string_view kAllowed =
    "accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 "
    "clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
    "clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 "
    "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old "
    "eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate "
    "fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync "
    "fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync "
    "ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat "
    "getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups "
    "getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid "
    "getresgid32 getresuid getresuid32 getrlimit get_robust_list getrusage getsid getsockname getsockopt "
    "get_thread_area gettid gettimeofday getuid getuid32 getxattr inotify_add_watch inotify_init "
    "inotify_init1 inotify_rm_watch io_cancel ioctl io_destroy io_getevents io_pgetevents "
    "io_pgetevents_time64 ioprio_get ioprio_set io_setup io_submit ipc kill landlock_add_rule "
    "landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listxattr "
    "llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier "
    "memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect "
    "mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
    "mq_timedsend_time64 mq_unlink mremap msgctl msgget msgrcv msgsnd msync munlock munlockall munmap "
    "name_to_handle_at nanosleep newfstatat _newselect open openat openat2 pause pidfd_open "
    "pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 "
    "preadv preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 "
    "ptrace pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg "
    "recvmmsg_time64 recvmsg remap_file_pages removexattr rename renameat renameat2 restart_syscall rmdir "
    "rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
    "rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_getaffinity sched_getattr "
    "sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval "
    "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler "
    "sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64 "
    "sendmmsg sendmsg sendto setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 "
    "setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid "
    "setreuid32 setrlimit set_robust_list setsid setsockopt set_thread_area set_tid_address setuid setuid32 "
    "setxattr shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 sigpending sigprocmask "
    "sigreturn socketcall socketpair splice stat stat64 statfs statfs64 statx symlink symlinkat sync "
    "sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime "
    "timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 "
    "timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink "
    "unlinkat utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev "
#if defined(__x86_64__) || defined(__i386__)
    "arch_prctl modify_ldt "
#endif
#if defined(__arm__) || defined(__aarch64__)
    "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls "
#endif
#if defined(__riscv)
    "riscv_flush_icache "
#endif
    ;

struct WithCapability {
  std::string_view capability, calls;
};
constexpr WithCapability kWithCapability[] = {
    {"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
    {"CAP_SYS_ADMIN",
     "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr "
     "move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog "
     "umount umount2 unshare"},
    {"CAP_SYS_BOOT", "reboot"},
    {"CAP_SYS_CHROOT", "chroot"},
    {"CAP_SYS_MODULE", "delete_module init_module finit_module"},
    {"CAP_SYS_PACCT", "acct"},
    {"CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise"},
    {"CAP_SYS_RAWIO", "iopl ioperm"},
    {"CAP_SYS_TIME", "settimeofday stime clock_settime clock_settime64"},
    {"CAP_SYS_TTY_CONFIG", "vhangup"},
    {"CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    {"CAP_SYSLOG", "syslog"},
    {"CAP_BPF", "bpf"},
    {"CAP_PERFMON", "perf_event_open"},
};

void add_words(json::Array& names, std::string_view words) {
  for (size_t at = 0; at < words.size();) {
    const size_t end = std::min(words.find(' ', at), words.size());
    if (end > at) names.emplace_back(words.substr(at, end - at));
    at = end + 1;
  }
}

json::Object rule(std::string_view names, std::string_view action) {
  json::Array list;
  add_words(list, names);
  return {{"names", std::move(list)}, {"action", action}};
}

json::Object argument(int index, uint64_t value, std::string_view op, uint64_t second = 0) {
  json::Object out{{"index", index}, {"value", value}, {"op", op}};
  if (second != 0) out["valueTwo"] = second;
  return out;
}
}  // namespace

json::Object default_seccomp(const std::set<std::string>& capabilities) {
  json::Array calls;
  json::Object allowed = rule(kAllowed, "SCMP_ACT_ALLOW");
  for (const auto& [capability, names] : kWithCapability)
    if (capabilities.contains(std::string(capability)))
      add_words(allowed["names"].as_array(), names);
  calls.push_back(std::move(allowed));

  // personality() only to the harmless values that emulators and old libraries ask for.
  for (const uint64_t persona : {0x0ULL, 0x0008ULL, 0x20000ULL, 0x20008ULL, 0xffffffffULL}) {
    auto personality = rule("personality", "SCMP_ACT_ALLOW");
    personality["args"] = json::Array{argument(0, persona, "SCMP_CMP_EQ")};
    calls.push_back(std::move(personality));
  }
  // Sockets of any family but vsock, which reaches the hypervisor's other guests.
  auto sockets = rule("socket", "SCMP_ACT_ALLOW");
  sockets["args"] = json::Array{argument(0, AF_VSOCK, "SCMP_CMP_NE")};
  calls.push_back(std::move(sockets));

  if (!capabilities.contains("CAP_SYS_ADMIN")) {
    // Threads and processes, but no new namespaces.
    constexpr uint64_t kNamespaceFlags = 0x7e020000;
    auto clone = rule("clone", "SCMP_ACT_ALLOW");
    clone["args"] = json::Array{argument(0, kNamespaceFlags, "SCMP_CMP_MASKED_EQ")};
    calls.push_back(std::move(clone));
    // Its flags lie in memory, where a filter cannot look. ENOSYS, not EPERM: libc then uses clone().
    auto clone3 = rule("clone3", "SCMP_ACT_ERRNO");
    clone3["errnoRet"] = ENOSYS;
    calls.push_back(std::move(clone3));
  }

  json::Object out;
  out["defaultAction"] = "SCMP_ACT_ERRNO";
  out["defaultErrnoRet"] = EPERM;
#if defined(__x86_64__)
  out["architectures"] = json::Array{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
#elif defined(__aarch64__)
  out["architectures"] = json::Array{"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#elif defined(__arm__)
  out["architectures"] = json::Array{"SCMP_ARCH_ARM"};
#endif
  out["syscalls"] = std::move(calls);
  return out;
}

}  // namespace kinglet::runtime

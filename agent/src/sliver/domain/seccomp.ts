/** A seccomp profile in the form of the OCI runtime specification. */
export interface SeccompProfile {
  readonly defaultAction: string
  readonly architectures: readonly string[]
  readonly syscalls: readonly object[]
}

/** EPERM and ENOSYS, the same on all architectures of the contract. */
const notPermitted = 1
const notImplemented = 38
const cloneNewUser = 0x1000_0000

/** What reaches deep into the kernel and no experiment in a network needs. Source: what Docker's default profile refuses without capabilities. */
const refused =
  'acct add_key bpf clock_adjtime clock_settime create_module delete_module fanotify_init finit_module fsconfig fsmount fsopen fspick get_mempolicy ' +
  'init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie mbind migrate_pages ' +
  'mount mount_setattr move_mount move_pages name_to_handle_at nfsservctl open_by_handle_at open_tree perf_event_open pidfd_getfd pivot_root ' +
  'process_madvise process_vm_readv process_vm_writev query_module quotactl quotactl_fd reboot request_key set_mempolicy setdomainname sethostname ' +
  'setns settimeofday stime swapoff swapon sysfs syslog umount umount2 unshare uselib userfaultfd ustat vhangup vm86 vm86old vmsplice _sysctl'

/** Address families that make rarely used kernel code reachable: AX25, X25, NETROM, RDS, CAN, TIPC, BLUETOOTH, ALG, NFC, VSOCK, KCM, XDP. */
const refusedFamilies = [3, 6, 9, 21, 29, 30, 31, 38, 39, 40, 41, 44]

const architectures: Readonly<Record<string, readonly string[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  ia32: ['SCMP_ARCH_X86'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
}

/** The profile of every sliver, for a processor as Node.js names it. */
export function seccompProfile(arch: string): SeccompProfile {
  const refuse = { action: 'SCMP_ACT_ERRNO', errnoRet: notPermitted }
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: architectures[arch] ?? [],
    syscalls: [
      { ...refuse, names: refused.split(' ') },
      {
        ...refuse,
        names: ['clone'],
        args: [{ index: 0, value: cloneNewUser, valueTwo: cloneNewUser, op: 'SCMP_CMP_MASKED_EQ' }],
      },
      // Its flags are behind a pointer; libraries fall back to clone.
      { action: 'SCMP_ACT_ERRNO', errnoRet: notImplemented, names: ['clone3'] },
      ...refusedFamilies.map((family) => ({
        ...refuse,
        names: ['socket'],
        args: [{ index: 0, value: family, op: 'SCMP_CMP_EQ' }],
      })),
    ],
  }
}

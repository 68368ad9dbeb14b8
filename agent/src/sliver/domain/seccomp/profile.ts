import moby from './moby-default.json' with { type: 'json' }

/** A seccomp profile in the form of the OCI runtime specification 1.1, config-linux.md. */
export interface SeccompProfile {
  readonly defaultAction: string
  readonly defaultErrnoRet: number
  readonly architectures: readonly string[]
  readonly syscalls: readonly SeccompRule[]
}

/** The action for these system calls. If there are `args`, it applies only to calls that match them. */
export interface SeccompRule {
  readonly action: string
  readonly names: readonly string[]
  readonly errnoRet?: number
  readonly args?: readonly object[]
}

/** A rule of moby's profile, with its conditions. */
interface MobyRule {
  readonly names: readonly string[]
  readonly action: string
  readonly errnoRet?: number | null
  readonly args?: readonly object[] | null
  readonly includes?: MobyCondition
  readonly excludes?: MobyCondition
}

/** `minKernel` is ignored: it is 4.8, and id-mapped mounts need a newer kernel. */
interface MobyCondition {
  readonly arches?: readonly string[]
  readonly caps?: readonly string[]
  readonly minKernel?: string
}

/** EPERM, ENOSYS and ENOPROTOOPT, the same on all architectures of the contract. */
const notPermitted = 1
const notImplemented = 38
const noSuchOption = 92

/** The names of a processor in moby and in libseccomp, by its name in Node.js. */
const processors: Readonly<Record<string, { readonly moby: string; readonly seccomp: string }>> = {
  x64: { moby: 'amd64', seccomp: 'SCMP_ARCH_X86_64' },
  ia32: { moby: 'x86', seccomp: 'SCMP_ARCH_X86' },
  arm64: { moby: 'arm64', seccomp: 'SCMP_ARCH_AARCH64' },
  arm: { moby: 'arm', seccomp: 'SCMP_ARCH_ARM' },
  riscv64: { moby: 'riscv64', seccomp: 'SCMP_ARCH_RISCV64' },
}

/**
 * System calls that this version of moby's profile allows and slivers must not use: io_uring, which bypasses the filter for other system calls (moby refuses it
 * too since 2023); socketcall(2), because a filter cannot read its arguments and so the address family; and inotify, because the host's root has 128 instances
 * in all, including those of slivers (`tail -f` polls instead).
 */
const refused = [
  ...['io_uring_setup', 'io_uring_enter', 'io_uring_register', 'socketcall'],
  ...['inotify_init', 'inotify_init1'],
]

/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK and AF_PACKET. Other families expose kernel code that no experiment in an IP network needs. */
const families = [1, 2, 10, 16, 17]

/**
 * Options of packet sockets that slivers may not set (packet(7): SOL_PACKET). PACKET_RX_RING, 5, and PACKET_TX_RING, 13, allocate rings of memory, which the
 * kernel counts for no cgroup: a sliver with 64 MiB could take all memory of its node. With PACKET_QDISC_BYPASS, 20, packets bypass the queue that limits a
 * link to the lent bandwidth. Source: Linux, af_packet.c: alloc_one_pg_vec_page allocates without `__GFP_ACCOUNT`; packet_xmit. They fail with ENOPROTOOPT, as
 * in a kernel without them, so that programs that can work without rings do so. libpcap needs rings since 1.10.0; earlier versions can read packet by packet.
 */
const packetOptions = { level: 263, refused: [5, 13, 20] } as const

/**
 * The limits that programs may set, by their numbers (getrlimit(2)): all except RLIMIT_CORE, which is 4. Setting RLIMIT_CORE does nothing and succeeds.
 * Programs such as dropbear and gpg lower it from 1 to 0 to avoid core dumps; with 0, each crash would start the host's crash handler. See `CoreLimit`.
 */
const limits = { settable: [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], core: 4 } as const

/**
 * Make the seccomp profile of slivers. It allows what moby's default profile allows to a container with these capabilities, except {@link refused}, all but
 * five address families, {@link packetOptions} and the limit that {@link limits} excludes. A system call that moby's profile knows and does not allow fails
 * with EPERM. A system call that it does not know fails with ENOSYS, so that newer libraries use older system calls instead.
 *
 * @param arch - the processor, as Node.js names it.
 */
export function seccompProfile(arch: string, capabilities: readonly string[]): SeccompProfile {
  const processor = processors[arch]
  const holds = ({ arches = [], caps = [] }: MobyCondition): boolean[] => [
    ...arches.map((one) => one === processor?.moby),
    ...caps.map((one) => capabilities.includes(one)),
  ]
  const rules: readonly MobyRule[] = moby.syscalls
  const applying = rules.filter(({ includes = {}, excludes = {} }) => {
    const { arches = [], caps = [] } = includes
    const isIncluded =
      (arches.length === 0 || holds({ arches }).includes(true)) && !holds({ caps }).includes(false)
    return isIncluded && !holds(excludes).includes(true)
  })
  const ruledHere = ['socket', 'setsockopt', 'setrlimit', 'prlimit64']
  const own = [...ruledHere, ...refused]
  const kept = applying.flatMap((rule) => {
    const names = rule.names.filter((name) => !own.includes(name))
    return names.length === 0 ? [] : [toOci({ ...rule, names })]
  })
  const ruled = new Set([...kept.flatMap(({ names }) => names), ...ruledHere])
  const known = new Set(rules.flatMap(({ names }) => names))
  return {
    defaultAction: moby.defaultAction,
    defaultErrnoRet: notImplemented,
    architectures: architecturesOf(processor?.seccomp),
    syscalls: [
      ...kept,
      ...socketRules(),
      ...optionRules(),
      ...limitRules(),
      {
        action: 'SCMP_ACT_ERRNO',
        errnoRet: notPermitted,
        names: [...known].filter((name) => !ruled.has(name)),
      },
    ],
  }
}

function toOci({ action, names, args, errnoRet }: MobyRule): SeccompRule {
  return {
    action,
    names,
    ...(errnoRet === undefined || errnoRet === null ? {} : { errnoRet }),
    ...(args === undefined || args === null || args.length === 0 ? {} : { args }),
  }
}

/** Return the architecture and the older ones whose programs the processor also runs. */
function architecturesOf(native: string | undefined): readonly string[] {
  if (native === undefined) return []
  const entry = moby.archMap.find(({ architecture }) => architecture === native)
  return [native, ...(entry?.subArchitectures ?? [])]
}

/** All rules allow: libseccomp does not accept two actions for socket(2), which is a part of socketcall(2) on some processors. */
function socketRules(): readonly SeccompRule[] {
  return families.map((value) => ({
    action: 'SCMP_ACT_ALLOW',
    names: ['socket'],
    args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }],
  }))
}

/** The arguments of setsockopt(2) are: socket, level, option, value. */
function optionRules(): readonly SeccompRule[] {
  const { level, refused: options } = packetOptions
  const names = ['setsockopt']
  const allowed = [...otherThan(1, level), ...otherThanAny(2, options)].map((arg) => ({
    action: 'SCMP_ACT_ALLOW',
    names,
    args: [arg],
  }))
  const others = options.map((option) => ({
    action: 'SCMP_ACT_ERRNO',
    errnoRet: noSuchOption,
    names,
    args: [bitsAre(1, allBits, level), bitsAre(2, allBits, option)],
  }))
  return [...allowed, ...others]
}

/**
 * The arguments of setrlimit(2) are: limit, new value. Those of prlimit(2) are: process, limit, new value, buffer for the old value; either value may be null.
 */
function limitRules(): readonly SeccompRule[] {
  const { settable, core } = limits
  const absent = { value: 0, op: 'SCMP_CMP_EQ' }
  const allow = (name: string, arg: object): SeccompRule => ({
    action: 'SCMP_ACT_ALLOW',
    names: [name],
    args: [arg],
  })
  const succeed = (name: string, args: readonly object[]): SeccompRule => ({
    action: 'SCMP_ACT_ERRNO',
    errnoRet: 0,
    names: [name],
    args,
  })
  return [
    ...settable.map((value) => allow('setrlimit', bitsAre(0, allBits, value))),
    succeed('setrlimit', [bitsAre(0, allBits, core)]),
    ...settable.map((value) => allow('prlimit64', bitsAre(1, allBits, value))),
    allow('prlimit64', { index: 2, ...absent }),
    // With a buffer for the old value the call fails, because the old value would have to be written there.
    succeed('prlimit64', [bitsAre(1, allBits, core), { index: 3, ...absent }]),
  ]
}

/** All bits of a 32-bit argument. The kernel ignores the upper half of the 64 bits, so a program could otherwise write the same argument in another way. */
const allBits = 0xffff_ffff
const eachBit = Array.from({ length: 32 }, (_, nr) => 2 ** nr)

/** Return conditions, one of which holds when an argument differs from this value. Each tests one bit. */
function otherThan(index: number, value: number): readonly object[] {
  return eachBit.map((bit) => bitsAre(index, bit, (value & bit) === 0 ? bit : 0))
}

/** Return conditions, one of which holds when an argument is none of these values, which are below 32. */
function otherThanAny(index: number, values: readonly number[]): readonly object[] {
  const small = [...eachBit.keys()].filter((value) => !values.includes(value))
  const large = eachBit.filter((bit) => bit >= eachBit.length)
  return [
    ...small.map((value) => bitsAre(index, allBits, value)),
    ...large.map((bit) => bitsAre(index, bit, bit)),
  ]
}

function bitsAre(index: number, bits: number, value: number): object {
  return { index, value: bits, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' }
}

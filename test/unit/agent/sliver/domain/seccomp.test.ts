import { expect, it } from 'vitest'
import {
  seccompProfile,
  type SeccompRule,
} from '../../../../../agent/src/sliver/domain/seccomp/profile.ts'

const slivers = ['CAP_NET_RAW', 'CAP_SYS_CHROOT', 'CAP_SETUID']
const profile = seccompProfile('x64', slivers)

/** What happens when a system call is made, whatever its arguments: each action once. */
function actionsOn(name: string, { syscalls } = profile): readonly string[] {
  const rules = syscalls.filter(({ names }) => names.includes(name))
  const say = ({ action, errnoRet }: SeccompRule) => `${action} ${errnoRet ?? ''}`.trim()
  return [...new Set(rules.map(say))]
}

it('allows what is listed and nothing else: what is unknown is not implemented', () => {
  expect(profile).toMatchObject({ defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 38 })
  expect(actionsOn('a_system_call_of_the_future')).toEqual([])
})

it('allows what an SSH server, ping and experiments need', () => {
  const needed =
    'accept4 bind clock_gettime clone connect epoll_wait execve fork getrandom ioctl listen mmap openat pipe2 ptrace recvmsg rt_sigaction sendmmsg ' +
    'sendmsg setgroups setuid splice statx wait4 chroot arch_prctl'
  for (const name of needed.split(' '))
    expect([name, ...actionsOn(name)]).toEqual([name, 'SCMP_ACT_ALLOW'])
})

it('does not permit what reaches deep into the kernel', () => {
  const deep =
    'bpf mount umount2 unshare setns perf_event_open init_module kcmp pidfd_getfd process_vm_readv open_by_handle_at reboot acct iopl ' +
    'clock_settime fsopen move_mount io_uring_setup io_uring_enter io_uring_register socketcall'
  for (const name of deep.split(' '))
    expect([name, ...actionsOn(name)]).toEqual([name, 'SCMP_ACT_ERRNO 1'])
  for (const name of ['keyctl', 'add_key', 'userfaultfd', 'kexec_load'])
    expect(actionsOn(name)).toEqual([])
})

it('makes processes, but no namespaces', () => {
  const clone = profile.syscalls.find(({ names }) => names.includes('clone'))
  expect(clone?.args).toEqual([
    expect.objectContaining({ value: 0x7e02_0000, op: 'SCMP_CMP_MASKED_EQ' }),
  ])
  expect(actionsOn('clone3')).toEqual(['SCMP_ACT_ERRNO 38'])
})

it('opens sockets of five families', () => {
  const rules = profile.syscalls.filter(({ names }) => names.includes('socket'))
  expect(rules.flatMap(({ args }) => args)).toEqual(
    [1, 2, 10, 16, 17].map((value) => ({ index: 0, value, op: 'SCMP_CMP_EQ' })),
  )
  expect(actionsOn('socket')).toEqual(['SCMP_ACT_ALLOW'])
})

it('sets all options of sockets but the rings and the bypass of packet sockets, however they are written', () => {
  interface Condition {
    readonly index: number
    readonly value: number
    readonly valueTwo: number
  }
  const rules = profile.syscalls.filter(({ names }) => names.includes('setsockopt'))
  const allowing = rules.filter(({ action }) => action === 'SCMP_ACT_ALLOW')
  const conditions = allowing.flatMap(({ args = [] }) => args as readonly Condition[])
  const isAllowed = (level: number, option: number): boolean =>
    conditions.some(({ index, value, valueTwo }) => {
      const given = BigInt(index === 1 ? level : option)
      return (given & BigInt(value)) === BigInt(valueTwo)
    })
  const high = 2 ** 32
  for (const [level, option] of [
    [263, 5],
    [263, 13],
    [high + 263, 5],
    [263, high + 13],
    [263, 20],
    [high + 263, high + 20],
  ] as const)
    expect([level, option, isAllowed(level, option)]).toEqual([level, option, false])
  for (let option = 0; option < 64; option++)
    expect([option, isAllowed(263, option)]).toEqual([option, ![5, 13, 20].includes(option)])
  expect(isAllowed(263, 2 ** 31)).toBe(true)
  for (const level of [0, 1, 6, 17, 41, 58, 255, 262, 264, 270])
    expect([level, isAllowed(level, 5)]).toEqual([level, true])
  // Programs that know a way without such an option take it when the kernel seems not to have it.
  expect(actionsOn('setsockopt')).toEqual(['SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO 92'])
  const refused = rules.filter(({ errnoRet }) => errnoRet === 92).map(({ args }) => args)
  expect(refused).toMatchObject(
    [5, 13, 20].map((option) => [
      { index: 1, value: 0xffff_ffff, valueTwo: 263 },
      { index: 2, value: 0xffff_ffff, valueTwo: option },
    ]),
  )
})

it('sets all limits but that of core dumps, of which it believes that it has set it', () => {
  const argsOf = (name: string, action: string) =>
    profile.syscalls.flatMap((rule) =>
      rule.names.includes(name) && rule.action === action ? [rule] : [],
    )
  for (const [name, index] of [
    ['setrlimit', 0],
    ['prlimit64', 1],
  ] as const) {
    const allowed = argsOf(name, 'SCMP_ACT_ALLOW').flatMap(({ args = [] }) => args)
    for (let limit = 0; limit < 16; limit++) {
      const arg = { index, value: 0xffff_ffff, valueTwo: limit, op: 'SCMP_CMP_MASKED_EQ' }
      if (limit === 4) expect(allowed).not.toContainEqual(arg)
      else expect(allowed).toContainEqual(arg)
    }
    const [succeeds, ...others] = argsOf(name, 'SCMP_ACT_ERRNO')
    expect(others).toEqual([])
    expect(succeeds).toMatchObject({
      errnoRet: 0,
      args: [{ index, valueTwo: 4 }, ...(index ? [{ index: 3, value: 0, op: 'SCMP_CMP_EQ' }] : [])],
    })
  }
})

it('gives more to whoever has more capabilities, as the profile says', () => {
  const more = seccompProfile('x64', [...slivers, 'CAP_SYS_TIME'])
  expect(actionsOn('clock_settime', more)).toEqual(['SCMP_ACT_ALLOW'])
})

it('names the processors whose programs run', () => {
  const architectures = (arch: string) => seccompProfile(arch, slivers).architectures
  expect(architectures('x64')).toEqual(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'])
  expect(architectures('arm64')).toEqual(['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'])
  expect(actionsOn('arch_prctl', seccompProfile('arm64', slivers))).toEqual(['SCMP_ACT_ERRNO 1'])
  expect(actionsOn('set_tls', seccompProfile('arm64', slivers))).toEqual(['SCMP_ACT_ALLOW'])
})

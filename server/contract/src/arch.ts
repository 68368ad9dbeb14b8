import { LabError } from './error/lab-error.ts'

/**
 * The processors that nodes have, as the machine names itself. Source: uname(2), `machine`; 32-bit ARM has two names here: `armv6l`, the oldest that Node.js runs on, and `armv7l` for every later one.
 */
export const archs = [
  'x86_64',
  'i586',
  'i686',
  'aarch64',
  'armv6l',
  'armv7l',
  'riscv64',
  'ppc64le',
  's390x',
  'loongarch64',
  'mips',
  'mipsel',
] as const

const byNodeName: Readonly<Record<string, (typeof archs)[number]>> = {
  x64: 'x86_64',
  ia32: 'i686',
  arm64: 'aarch64',
  riscv64: 'riscv64',
  ppc64: 'ppc64le',
  s390x: 's390x',
  loong64: 'loongarch64',
  mips: 'mips',
  mipsel: 'mipsel',
}

/**
 * Name the processor of a machine. The name is that of the processor for which its programs are built (`process.arch`), not of what its kernel could run. For
 * 32-bit ARM, the machine's own name (`os.machine()`) decides.
 *
 * @throws {@link LabError} LAB_ARCH_UNKNOWN for a processor that nodes cannot have.
 */
export function archOf(nodeName: string, machine: string): (typeof archs)[number] {
  if (nodeName === 'arm') return machine.startsWith('armv6') ? 'armv6l' : 'armv7l'
  const arch = byNodeName[nodeName]
  if (arch === undefined)
    throw new LabError('LAB_ARCH_UNKNOWN', { found: nodeName, machine, archs })
  return arch
}

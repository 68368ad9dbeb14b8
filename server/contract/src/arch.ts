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
 * Name the processor of a machine. What counts is what the programs on it are built for, which Node.js tells (`process.arch`), not what its kernel could run;
 * of the 32-bit ARMs the machine's own name (`os.machine()`) tells which.
 *
 * @throws {@link LabError} LAB_ARCH_UNKNOWN for one that no node can have.
 */
export function archOf(nodeName: string, machine: string): (typeof archs)[number] {
  if (nodeName === 'arm') return machine.startsWith('armv6') ? 'armv6l' : 'armv7l'
  const arch = byNodeName[nodeName]
  if (arch === undefined)
    throw new LabError('LAB_ARCH_UNKNOWN', { found: nodeName, machine, archs })
  return arch
}

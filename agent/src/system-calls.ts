/** The numbers of system calls for programs in Perl, which has no names for them. */
export interface SystemCalls {
  readonly splice: number
  readonly clockGettime: number
  readonly unshare: number
  readonly prctl: number
}

const generic: SystemCalls = { splice: 76, clockGettime: 113, unshare: 97, prctl: 167 }

/** Source: Linux, arch/<arch>/…/syscall*.tbl and include/uapi/asm-generic/unistd.h. */
const known: Partial<Record<NodeJS.Architecture, SystemCalls>> = {
  x64: { splice: 275, clockGettime: 228, unshare: 272, prctl: 157 },
  arm64: generic,
  riscv64: generic,
  arm: { splice: 340, clockGettime: 263, unshare: 337, prctl: 172 },
  ia32: { splice: 313, clockGettime: 265, unshare: 310, prctl: 172 },
}

/** Return the numbers on this processor; null when they are not known. */
export function localSystemCalls(): SystemCalls | null {
  return known[process.arch] ?? null
}

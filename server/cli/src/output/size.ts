import { InvalidArgumentError } from 'commander'

/** The binary units of sizes, in MiB. */
const units = { MIB: 1, GIB: 1024, TIB: 1024 * 1024 } as const

/** Read a size such as `512MiB`, `2GiB` or `1.5 GiB`. Returns whole MiB. */
export function sizeMiB(text: string): number {
  const [, amount, unit] = /^\s*(\d{1,9}(?:\.\d{1,3})?)\s*(MiB|GiB|TiB)\s*$/iu.exec(text) ?? []
  const factor = Object.entries(units).find(([name]) => name === unit?.toUpperCase())?.[1]
  const value = factor === undefined ? Number.NaN : Number(amount) * factor
  if (!Number.isInteger(value) || value > 1_000_000_000)
    throw new InvalidArgumentError(
      'it has to be a size in MiB, GiB or TiB, such as 512MiB or 2GiB.',
    )
  return value
}

/** Format a size in MiB in the largest unit that keeps it a whole number. */
export function formatMiB(mib: number): string {
  const [name, factor] =
    mib > 0 && mib % units.TIB === 0
      ? (['TiB', units.TIB] as const)
      : mib > 0 && mib % units.GIB === 0
        ? (['GiB', units.GIB] as const)
        : (['MiB', 1] as const)
  return `${mib / factor} ${name}`
}

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const checkout = join(import.meta.dirname, '../../..')

/** Files that stand in two packages, because neither may import the other and the contract does no I/O. */
const twins = [
  ['agent/src/disk/whole-file.ts', 'server/src/whole-file.ts'],
  ['agent/src/log-output.ts', 'server/src/log-output.ts'],
  ['agent/src/mgmt/device.ts', 'server/src/gateway/device.ts'],
  ['agent/src/mgmt/leftover.ts', 'server/src/gateway/leftover.ts'],
] as const

describe('a file that stands in two packages', () => {
  it.each(twins)('is the same in both: a change of %s is made in %s too', (one, other) => {
    expect(readFileSync(join(checkout, one), 'utf8')).toBe(
      readFileSync(join(checkout, other), 'utf8'),
    )
  })
})

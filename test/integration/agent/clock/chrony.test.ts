import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { askChrony } from '../../../../agent/src/clock/chrony.ts'

const chronyd = '/usr/sbin/chronyd'
const { signal } = new AbortController()

it('says nothing where no chronyd runs', async () => {
  expect(await askChrony(signal, '/run/no-such-chronyd/socket')).toBeNull()
})

// It is Debian's `chrony`, which the set-up does not install. It leaves the clock of this machine alone (-x), and serves nobody.
it.runIf(existsSync(chronyd) && process.getuid?.() === 0)(
  'hears from a real chronyd how good the clock is, once that has a reference',
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'lab-chrony-'))
    const socket = join(dir, 'socket')
    const file = join(dir, 'chrony.conf')
    const lines = [`bindcmdaddress ${socket}`, `pidfile ${join(dir, 'pid')}`]
    const rest = ['local stratum 3', 'cmdport 0', 'port 0', 'user root']
    await writeFile(file, `${[...lines, ...rest].join('\n')}\n`)
    const child = spawn(chronyd, ['-x', '-n', '-f', file], { stdio: 'ignore' })
    try {
      await expect
        .poll(() => askChrony(signal, socket), { timeout: 60_000 })
        .toEqual({ offsetS: 0, errorS: 0 })
    } finally {
      child.kill()
      await once(child, 'close')
      await rm(dir, { recursive: true })
    }
  },
)

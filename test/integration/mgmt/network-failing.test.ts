import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ensureTincKey } from '@community-lab/contract/host'
import { startManagementNetwork } from '../../../agent/src/mgmt/network.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'network-failing-'))
})
afterEach(() => rm(dir, { recursive: true }))

it('a management network that cannot be made keeps its agent from nothing: it is told, and tried again', async () => {
  // Where tincd's folder should be there is a file, as a damaged disk may have it.
  await writeFile(join(dir, 'tinc'), '')
  const network = await startManagementNetwork({
    dir: join(dir, 'tinc'),
    nodeId: 3,
    prefix: 'fd65:fc41:c50f::/48',
    server: {
      url: 'https://[fd65:fc41:c50f::2]:8443',
      certificate_sha256: 'ab'.repeat(32),
      mgmt_addr: 'fd65:fc41:c50f::2',
      tinc: { name: 'server', pubkey: '', addresses: [] },
    },
    device: 'tun',
    signal: new AbortController().signal,
  })
  const { promise: again, resolve } = Promise.withResolvers<string>()
  network.onExit(resolve)
  expect(network).toMatchObject({ interface: 'clab-n3', state: 'down', pid: null })
  expect(network.problem).toMatch(/node 3.*(EEXIST|ENOTDIR)/u)
  expect(await again).toMatch(/EEXIST|ENOTDIR/u)
  await network.stop()
})

it.runIf(process.getuid?.() === 0)(
  'a node whose network has changed lets tincd connect at once, not after the wait of a failed attempt',
  async () => {
    const tinc = join(dir, 'tinc')
    const { pubkey } = await ensureTincKey(tinc)
    const lines: string[] = []
    const failed = Promise.withResolvers<undefined>()
    const again = Promise.withResolvers<undefined>()
    const network = await startManagementNetwork({
      dir: tinc,
      nodeId: 65_000,
      prefix: 'fd65:fc41:c50f::/48',
      server: {
        url: 'https://[fd65:fc41:c50f::2]:8443',
        certificate_sha256: 'ab'.repeat(32),
        mgmt_addr: 'fd65:fc41:c50f::2',
        // Nobody listens there.
        tinc: { name: 'server_2', pubkey, addresses: [{ addr: '::1', port: 9 }] },
      },
      device: 'auto',
      signal: new AbortController().signal,
      onLine(line) {
        lines.push(line)
        if (line.includes('re-establish')) failed.resolve(undefined)
        if (lines.filter((one) => one.includes('Trying to connect')).length === 2)
          again.resolve(undefined)
      },
    })
    await failed.promise
    network.noteNetworkChange()
    await again.promise
    await network.stop()
    expect(lines.join('\n')).toMatch(/re-establish[^]*Got ALRM[^]*Trying to connect/u)
  },
)

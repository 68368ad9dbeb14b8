import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))

it.each(['server/bin/community-lab-server', 'agent/bin/community-lab-agent'])(
  '%s starts whatever Node.js the machine has',
  async (launcher) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'old-node-'))
    await writeFile(path.join(folder, 'node'), '#!/bin/sh\necho too old >&2\nexit 7\n', {
      mode: 0o755,
    })
    const env = { PATH: `${folder}:/usr/bin:/bin` }
    const said = await new Promise<string>((resolve) => {
      execFile(path.join(root, launcher), { env }, (_error, stdout, stderr) =>
        resolve(stdout + stderr),
      )
    })
    await rm(folder, { recursive: true })
    // It runs, and misses its first setting.
    expect(said).toMatch(/COMMUNITY_LAB_(?:SERVER|AGENT)_DATA is not set/u)
  },
)

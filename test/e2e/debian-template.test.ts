import { execFile } from 'node:child_process'
import process from 'node:process'
import { promisify } from 'node:util'
import { connect } from '@community-lab/kernel'
import { expect, it } from 'vitest'
import { startTestbed } from '../support/testbed.ts'

const run = promisify(execFile)
/** Debian's mirror sends some 60 MiB, so only `npm run test:all` asks it. */
const isWhole = process.env['COMMUNITY_LAB_TEST_WAYS'] === 'all'

it.runIf(isWhole)(
  'makes a Debian of a mirror’s packages, in which a sliver is used as in the small template',
  async () => {
    await using testbed = await startTestbed({ nodes: 1 })
    const { url, token } = testbed.operator
    const build = ['template', 'build', 'debian', '--upload', 'debian']
    const env = { ...process.env, COMMUNITY_LAB_URL: url, COMMUNITY_LAB_TOKEN: token }
    const built = await run(process.execPath, ['server/cli/src/main.ts', ...build], { env })
    expect(built.stdout).toMatch(/^template debian@1: \d+ bytes, SHA-256 [0-9a-f]{64}\n$/u)

    const lab = connect(testbed.credentials)
    try {
      const options = { template: 'debian@1', nodes: ['n1'], diskMiB: 256 }
      const slice = await lab.slices.ensure('debian', options)
      await slice.started()
      expect(built.stdout).toContain(slice.template?.sha256)
      const said = await slice.sh`. /etc/os-release; echo $ID; ping -V; apt-get --version`
      expect(said.ok).toBe(true)
      expect(said[0]?.stdout).toMatch(/^debian\nping from iputils[^]*\napt /u)
    } finally {
      await lab.close()
    }
  },
)

import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ownPlace } from '../../../support/place.ts'
import { startAgent, type TestAgent } from './world/agent.ts'
import { powerOn, type Machine } from './world/machine.ts'
import { givePerl } from './world/perl.ts'
import { createSshUser, type SshUser } from './world/ssh.ts'
import { buildTemplate, wanted } from './world/template.ts'

const attempts = join(import.meta.dirname, '../../../support/attempts.pl')

/** Source: Linux, arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h. */
const numbers: Partial<Record<NodeJS.Architecture, string>> = {
  x64: 'add_key=248 keyctl=250 io_uring_setup=425 bpf=321 perf_event_open=298 userfaultfd=323 unshare=272 init_module=175 setsockopt=54',
  arm64:
    'add_key=217 keyctl=219 io_uring_setup=425 bpf=280 perf_event_open=241 userfaultfd=282 unshare=97 init_module=105 setsockopt=208',
}
const systemCalls = numbers[process.arch]

describe.runIf(process.getuid?.() === 0 && systemCalls !== undefined)(
  'the kernel that a sliver shares with its node',
  () => {
    let machine: Machine
    let agent: TestAgent
    let user: SshUser
    let perl: string
    let inSliver: (what: string) => Promise<string>

    beforeAll(async () => {
      const place = ownPlace()
      machine = await powerOn(place, true)
      const template = await buildTemplate(machine.dir)
      agent = await startAgent(machine, place, { runtime: 'crun' })
      user = await createSshUser(machine)
      const more = { ssh_authorized_keys: [user.publicKey] }
      const sliver = await agent.run(wanted(1, template, more))
      perl = await givePerl(machine, sliver, attempts)
      inSliver = (what) => user.run(sliver, `${perl} ${what}`)
    })
    afterAll(async () => {
      await agent[Symbol.asyncDispose]()
      await machine[Symbol.asyncDispose]()
    })

    test('gives it nothing of the node', async () => {
      const answers = (await inSliver(`all ${systemCalls ?? ''}`)).trim().split('\n')
      expect(answers.filter((answer) => answer.endsWith(': done'))).toEqual([])
      expect(answers).toContain('netlink: operation not permitted')
      expect(answers).toHaveLength(20)
    })

    test('keeps the abstract sockets of the node from it', async () => {
      await machine.sh(`perl ${attempts} listen owner`)
      expect(await machine.sh(`perl ${attempts} abstract owner`)).toBe('abstract socket: done\n')
      expect(await inSliver('abstract owner')).toBe('abstract socket: connection refused\n')
    })

    test('reserves no memory for it that is not counted as its own, and lets it send past no queue', async () => {
      const refused = 'function not implemented'
      const levels = [263, 2 ** 32 + 263]
      const rings = levels.flatMap((level) =>
        [5, 13, 2 ** 32 + 5].map((option) => `ring ${level} ${option}: ${refused}`),
      )
      expect((await inSliver(`ring ${systemCalls ?? ''}`)).trim().split('\n')).toEqual([
        ...rings,
        `round the queue: ${refused}`,
        'original device: done',
        'buffer: done',
      ])
    })
  },
)

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chooseCoreLimit } from '../../../../agent/src/sliver/domain/core-dumps.ts'
import type { SliverStatus } from '../../../../agent/src/plan/observed.ts'
import { ownPlace } from '../../../support/place.ts'
import { startAgent, type TestAgent } from './world/agent.ts'
import { powerOn, type Machine } from './world/machine.ts'
import { givePerl } from './world/perl.ts'
import { createSshUser, type SshUser } from './world/ssh.ts'
import { buildTemplate, wanted, type TestTemplate } from './world/template.ts'

const documentation = join(import.meta.dirname, '../../../../agent/README.md')
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
    let sliver: SliverStatus
    let perl: string
    let template: TestTemplate
    let held = 0
    let inSliver: (what: string) => Promise<string>

    beforeAll(async () => {
      const place = ownPlace()
      machine = await powerOn(place, true)
      template = await buildTemplate(machine.dir)
      agent = await startAgent(machine, place, { runtime: 'crun' })
      user = await createSshUser(machine)
      const more = { ssh_authorized_keys: [user.publicKey] }
      sliver = await agent.run(wanted(1, template, more))
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
      const refused = 'protocol not available'
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

    test('holds no more memory in its sockets than it has', async () => {
      expect(Number(await inSliver('datagrams'))).toBeLessThan(64)
    })

    test('starts no crash handler of the node for it, whatever limit of core dumps it sets', async () => {
      const limit = 'grep "core file" /proc/self/limits'
      // Source: core(5). With a limit of 1, and of 1 alone, neither a file nor a pipe gets a dump.
      const own = chooseCoreLimit(await readFile('/proc/self/limits', 'utf8'))
      const line = new RegExp(`^Max core file size +${own} +${own} +bytes`, 'u')
      const one = expect.stringMatching(line) as string
      expect(await user.run(sliver, limit)).toEqual(one)
      for (const wish of ['-c 0', '-c unlimited', '-S -c 0', '-H -c 0'])
        expect(await user.run(sliver, `ulimit ${wish} && ${limit}`)).toEqual(one)
      expect(await user.run(sliver, 'ulimit -n 100 && ulimit -n')).toBe('100\n')
    })

    test('shows it the packets on its links, by the program in the documentation', async () => {
      const [, text = ''] = /```perl\n([^]*?)```/u.exec(await readFile(documentation, 'utf8')) ?? []
      const program = join(machine.dir, 'pcap.pl')
      await writeFile(program, text)
      const pcap = await givePerl(machine, sliver, program)
      const commands = [
        `${pcap} lo 60 > /tmp/pcap & until test -s /tmp/pcap; do sleep 0.1; done`,
        'ping -c 1 ::1 > /tmp/ping',
        'until test $(wc -c < /tmp/pcap) -gt 100; do sleep 0.1; done',
        'kill $!; base64 /tmp/pcap',
      ]
      const captured = await user.run(sliver, commands.join('; '))
      const bytes = Buffer.from(captured, 'base64')
      // Of a file, then of a frame: pcap-savefile(5).
      expect([bytes.readUInt32LE(0), bytes.readUInt32LE(20)]).toEqual([0xa1b2c3d4, 1])
      const [seconds, length] = [bytes.readUInt32LE(24), bytes.readUInt32LE(32)]
      expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(60)
      expect(bytes.readUInt32LE(36)).toBe(length)
      // Ethernet, IPv6, ICMPv6, echo request.
      expect([bytes.readUInt16BE(40 + 12), bytes[40 + 20], bytes[40 + 54]]).toEqual([
        0x86dd, 58, 128,
      ])
    })

    test.each(['packet', 'netlink', 'datagram', 'stream', 'corked'])(
      'ends it when its sockets hold more memory than it has, and says so: %s',
      async (kind) => {
        const nr = 10 + held++
        const id = `${nr}@3`
        const flooder = await agent.run(
          wanted(nr, template, { ssh_authorized_keys: [user.publicKey] }),
        )
        const program = await givePerl(machine, flooder, attempts)
        const flooding = user.run(flooder, `${program} hold ${kind}`)
        await agent.ended(id)
        expect(await flooding).toContain('Remote closed the connection')
        expect((await agent.sliver(id)).ended?.message).toMatch(
          /^sliver \d+@3 ended by itself: its sockets held \d+ MiB .* it may have 64 MiB; it is started again$/u,
        )
        await agent.call('remove', id)
      },
    )

    test('lets the kernel end it before programs of the owner when the node has no memory left', async () => {
      expect(await user.run(sliver, 'cat /proc/self/oom_score_adj')).toBe('1000\n')
    })
  },
)

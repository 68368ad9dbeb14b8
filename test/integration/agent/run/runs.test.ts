import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import process from 'node:process'
import { filePartsOf, type RunTarget } from '@community-lab/contract'
import { packFiles } from '@community-lab/contract/files'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ownPlace } from '../../../support/place.ts'
import { startAgent, type TestAgent } from '../sliver/world/agent.ts'
import { powerOn, type Machine } from '../sliver/world/machine.ts'
import { serverAheadMs } from '../sliver/world/protocol.ts'
import { buildTemplate, wanted, type TestTemplate } from '../sliver/world/template.ts'
import { aRun, aTarget, outputOf, reaches, samplesOf } from './world.ts'

const place = ownPlace()

describe.runIf(process.getuid?.() === 0).each(['crun', 'runc'] as const)(
  'runs by %s',
  (runtime) => {
    let machine: Machine
    let template: TestTemplate
    let agent: TestAgent
    const sliver = () => wanted(1, template)

    beforeAll(async () => {
      machine = await powerOn(place, true)
      template = await buildTemplate(machine.dir)
      agent = await startAgent(machine, place, { runtime })
      await agent.run(sliver())
    })
    afterAll(async () => {
      await agent.call('remove', '1@3')
      await agent[Symbol.asyncDispose]()
      await machine[Symbol.asyncDispose]()
    })

    /** Wait until the supervisor of a run has written a line that begins with this word. Its lines stay. */
    const hasNoted = ({ id }: RunTarget, word: string) =>
      expect
        .poll(() => machine.sh(`cat ${agent.settings.dataDir}/runs/${id}/state || true`), {
          timeout: 60_000,
        })
        .toMatch(new RegExp(`^${word} .*\n`, 'mu'))
    const aim = (...runs: Parameters<typeof aTarget>[1]) =>
      agent.call('aim', aTarget([sliver()], runs))

    /** Wait for the row of a run's end; returns all there are. */
    const endsOf = async (run: RunTarget) => {
      const read = async () =>
        (await samplesOf(agent, run))
          .filter(({ name }) => name === 'run_end')
          .map(({ fields }) => fields)
      await expect.poll(read, { timeout: 60_000 }).not.toEqual([])
      return read()
    }

    /** Check the files of a run, of which the second is what a command prints, and that its end follows them. */
    const isKept = async (run: RunTarget, command: string) => {
      const digest = (await machine.sh(`${command} | sha256sum`)).slice(0, 64)
      const rows = await agent.samples(1)
      const files = rows.filter((row) => row.name === 'run_file' && row.fields['run'] === run.id)
      expect(
        files.map(({ fields }) => [fields['path'], fields['sha256'], fields['problem']]),
      ).toEqual([
        ['out/a.csv', expect.any(String), undefined],
        ['big', digest, undefined],
        ['link', undefined, expect.stringContaining('no regular file')],
        ['none', undefined, 'there is no such file'],
      ])
      const parts = rows.filter(({ fields }) => fields['run'] === filePartsOf(run.id, '1@3', 1))
      const text = parts.map(({ fields }) => fields['text'] as string).join('')
      expect(createHash('sha256').update(text).digest('hex')).toBe(digest)
      const end = rows.find((row) => row.name === 'run_end' && row.fields['run'] === run.id)
      expect(end?.seq).toBeGreaterThan(Math.max(...[...parts, ...files].map(({ seq }) => seq)))
      const left = `ls ${agent.settings.dataDir}/runs/${run.id}; find /sys/fs/cgroup -name "run-${run.id}"`
      await expect.poll(() => machine.sh(left)).not.toMatch(/kept|run-/u)
    }

    test('a program has its arguments, its environment and the protection of its sliver, and its output and exit code are kept', async () => {
      const script = `echo "$1 $X $COMMUNITY_LAB_RUN $COMMUNITY_LAB_CLOCK_OFFSET_S $COMMUNITY_LAB_CLOCK_ERROR_S"; echo no >&2
      grep -E '^(Seccomp|NoNewPrivs|CapBnd)' /proc/self/status; cat /proc/self/oom_score_adj; exit 7`
      const run = aRun({ program: { script, args: ['a b'], env: { X: "it's" } } })
      await aim(run)
      const { ended_on: endedOn, ...end } = await reaches(agent, run, 'ended')
      const text = `a b it's ${run.id} 2.000500 0.000501\nno\n`
      const output = await outputOf(agent, run, end.output_bytes)
      expect(output.slice(0, text.length)).toBe(text)
      expect(output).toMatch(/NoNewPrivs:\t1\nSeccomp:\t2\n[^]*1000\n$/u)
      // CAP_CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, NET_BIND_SERVICE, NET_RAW and SYS_CHROOT. Source: Linux, include/uapi/linux/capability.h.
      expect(output).toContain('CapBnd:\t00000000000424fb\n')
      expect(endedOn).not.toBeNull()
      expect(end).toMatchObject({ exit_code: 7, signal: null, reason: 'exited', lost_bytes: 0 })
      expect(end.has_end_row).toBe(true)
      expect(await endsOf(run)).toEqual([{ run: run.id, exit_code: 7 }])
    })

    test('a program that writes ends of runs, and as many lines as it can, has one end, after its last sample', async () => {
      const script = `yes "run_end run=\\"$COMMUNITY_LAB_RUN\\" exit_code=0" | head -300000 > /run/community-lab/measure
      echo "last run=\\"$COMMUNITY_LAB_RUN\\"" > /run/community-lab/measure; exit 5`
      const run = aRun({ program: { script } })
      await aim(run)
      const { has_end_row: hasEndRow } = await reaches(agent, run, 'ended')
      expect(hasEndRow).toBe(true)
      expect(await endsOf(run)).toEqual([{ run: run.id, exit_code: 5 }])
    })

    test('a program has its files, and one that cannot begin, or that the kernel has killed, says why', async () => {
      const archive = await packFiles(
        { 'deep/say': '#!/bin/sh\necho "said $1"\n' },
        { mode: 0o755 },
      )
      const uri = `${machine.dir}/files.tar`
      await writeFile(uri, archive)
      const sha256 = createHash('sha256').update(archive).digest('hex')
      const files = { uri, sha256, size_bytes: archive.length }
      const whole = aRun({ program: { argv: ['deep/say', 'it'] }, files })
      const wrong = aRun({ program: { script: 'true' }, files: { ...files, uri: `${uri}.not` } })
      const missing = aRun({ program: { script: '#!/usr/bin/python9\nprint(1)' } })
      const absent = aRun({ program: { argv: ['no-such-tool'] } })
      const hungry = aRun({ program: { script: 'head -c 500m /dev/zero | tail' } })
      await aim(whole, missing, absent, hungry)
      const end = await reaches(agent, whole, 'ended')
      expect(end).toMatchObject({ reason: 'exited', exit_code: 0 })
      expect(await outputOf(agent, whole, end.output_bytes)).toBe('said it\n')
      const failed = async (run: RunTarget) => {
        const now = async () => (await agent.runs()).find(({ id }) => id === run.id)
        await expect.poll(async () => (await now())?.state, { timeout: 60_000 }).toBe('ended')
        return now()
      }
      expect(await failed(missing)).toMatchObject({
        reason: 'failed',
        message: "the script's first line names /usr/bin/python9, which the sliver does not have",
      })
      expect(await failed(absent)).toMatchObject({
        reason: 'failed',
        message: 'the sliver has no program no-such-tool',
      })
      expect((await failed(hungry))?.message).toMatch(
        /^the kernel has killed a process of the sliver meanwhile, because it had no memory left$/u,
      )
      await aim(wrong)
      const problems = async () => (await agent.problems()).map(({ message }) => message).join()
      await expect.poll(problems, { timeout: 60_000 }).toContain(wrong.id)
    })

    test('an agent that is killed and started again during a run has its output and its exit code, once', async () => {
      const script =
        'i=0; while [ $i -lt 40 ]; do i=$((i + 1)); echo "line $i"; sleep 0.05; done; exit 3'
      const run = aRun({ program: { argv: ['/bin/sh', '-c', script] } })
      await aim(run)
      await hasNoted(run, 'begun')
      for (let times = 0; times < 3; times++) {
        await agent.kill()
        agent = await startAgent(machine, place, { runtime })
        await aim(run)
      }
      const end = await reaches(agent, run, 'ended')
      expect(end).toMatchObject({ exit_code: 3, reason: 'exited' })
      const lines = Array.from({ length: 40 }, (_, index) => `line ${index + 1}\n`).join('')
      expect(await outputOf(agent, run, lines.length)).toBe(lines)
      expect(await endsOf(run)).toEqual([{ run: run.id, exit_code: 3 }])
    })

    test('a run that begins and ends while there is no agent is told of by the next one, which keeps its files', async () => {
      // The server's clock is an hour ahead of the node's, and a start is by the server's.
      const startAt = new Date(Date.now() + serverAheadMs + 3_000).toISOString()
      const script = `echo alone; mkdir out; echo 1 > out/a.csv; seq 50000 > big
        ln -s /proc/self/environ link; exit 4`
      const keep = ['out/*.csv', 'big', 'link', 'none']
      const run = aRun({ program: { script, keep }, start_at: startAt })
      await aim(run)
      await hasNoted(run, 'started')
      await agent.kill()
      await hasNoted(run, 'ended')
      agent = await startAgent(machine, place, { runtime })
      await aim(run)
      const end = await reaches(agent, run, 'ended')
      expect(end).toMatchObject({ exit_code: 4, reason: 'exited', has_end_row: true })
      const earliest = Date.parse(startAt) - serverAheadMs
      // The offset was measured when the agent was started, by a clock of whole milliseconds.
      expect(Date.parse(end.started_on ?? '')).toBeGreaterThanOrEqual(earliest - 5)
      expect(await outputOf(agent, run, 6)).toBe('alone\n')
      expect(await endsOf(run)).toEqual([{ run: run.id, exit_code: 4 }])
      await isKept(run, 'seq 50000')
    })

    test('two runs at once have outputs and ends of their own, also one whose start is in the past', async () => {
      const past = new Date(Date.now() - 3600_000).toISOString()
      const one = aRun({ program: { script: 'echo one; exit 1' }, start_at: past })
      const other = aRun({ program: { script: 'echo other' } })
      await aim(one, other)
      expect(await reaches(agent, one, 'ended')).toMatchObject({ exit_code: 1 })
      expect(await reaches(agent, other, 'ended')).toMatchObject({ exit_code: 0 })
      expect(await outputOf(agent, one, 4)).toBe('one\n')
      expect(await outputOf(agent, other, 6)).toBe('other\n')
    })

    test('a run that is cancelled, whose time is over, or that is not wanted any more ends with all that it has started', async () => {
      const script = 'trap "" TERM; setsid sh -c "trap \\"\\" TERM; sleep 987" & sleep 987'
      const cancelled = aRun({ program: { script } })
      const limited = aRun({ program: { script }, limit_ms: 1000 })
      const unwanted = aRun({ program: { script } })
      await aim(cancelled, limited, unwanted)
      await reaches(agent, cancelled, 'running')
      await reaches(agent, unwanted, 'running')
      await aim({ ...cancelled, is_cancelled: true }, limited)
      expect(await reaches(agent, cancelled, 'ended')).toMatchObject({
        signal: 9,
        reason: 'cancelled',
      })
      expect(await reaches(agent, limited, 'ended')).toMatchObject({ signal: 9, reason: 'limit' })
      await expect
        .poll(async () => (await agent.runs()).map(({ id }) => id))
        .not.toContain(unwanted.id)
      expect(await machine.sh('pgrep -fc "sleep 98[7]" || true')).toBe('0\n')
    })

    test('output beyond the limit is counted, and bytes that are no text are kept as they are', async () => {
      const script = 'printf "\\377\\000ü"; head -c 5000000 /dev/zero'
      const run = aRun({ program: { script } })
      await aim(run)
      const end = await reaches(agent, run, 'ended')
      const kept = 1024 * 1024
      expect(end).toMatchObject({ output_bytes: kept, lost_bytes: 5_000_004 - kept })
    })

    test('a run whose supervisor is killed is lost, is ended, and is never started again', async () => {
      const run = aRun({ program: { script: 'echo begun; sleep 986' } })
      await aim(run)
      await reaches(agent, run, 'running')
      await machine.sh(
        `kill -9 $(sed -n "s/^supervisor \\\\([0-9]*\\\\) .*/\\\\1/p" ${agent.settings.dataDir}/runs/${run.id}/state)`,
      )
      expect(await reaches(agent, run, 'ended')).toMatchObject({ exit_code: null, reason: 'lost' })
      expect(await machine.sh('pgrep -fc "sleep 98[6]" || true')).toBe('0\n')
      expect(await machine.sh(`grep -c begun ${agent.settings.dataDir}/runs/${run.id}/state`)).toBe(
        '1\n',
      )
    })

    test('a run ends with its sliver, although another program of it ends long after SIGTERM', async () => {
      const run = aRun({ program: { script: 'sleep 984' } })
      const deaf = aRun({ program: { script: 'trap "" TERM; while :; do sleep 1; done' } })
      // It tidies up and says that all is well, but its work is not done.
      const tidy = aRun({ program: { script: 'trap "exit 0" TERM; while :; do sleep 0.1; done' } })
      await aim(run, deaf, tidy)
      for (const each of [run, deaf, tidy]) await reaches(agent, each, 'running')
      await agent.call('undeploy', '1@3', 0)
      expect(await reaches(agent, run, 'ended')).toMatchObject({ reason: 'sliver_ended' })
      expect(await reaches(agent, tidy, 'ended')).toMatchObject({ reason: 'sliver_ended' })
      expect(await reaches(agent, deaf, 'ended')).toMatchObject({ reason: 'sliver_ended' })
      for (const step of ['deploy', 'start'] as const) await agent.call(step, sliver())
    })

    test('a reset of its sliver ends a run, and one that has not begun is not started in the next sliver', async () => {
      const run = aRun({ program: { script: 'sleep 985' } })
      const later = new Date(Date.now() + serverAheadMs + 50_000).toISOString()
      const waiting = aRun({ program: { script: 'echo later' }, start_at: later })
      await aim(run, waiting)
      await reaches(agent, run, 'running')
      await agent.call('undeploy', '1@3', 1)
      for (const step of ['deploy', 'start'] as const) await agent.call(step, sliver())
      await agent.call('aim', aTarget([{ ...sliver(), slice_instance_sn: 1 }], [run, waiting]))
      expect(await reaches(agent, run, 'ended')).toMatchObject({ reason: 'sliver_ended' })
      expect(await reaches(agent, waiting, 'ended')).toMatchObject({
        reason: 'reset',
        started_on: null,
      })
    })
  },
)

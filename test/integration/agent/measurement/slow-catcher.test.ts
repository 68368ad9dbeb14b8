import { constants } from 'node:fs'
import { open as openFile, rm, writeFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createSliverStreams } from '../../../../agent/src/measurement/catcher/sliver-streams.ts'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import type { Spool } from '../../../../agent/src/measurement/spool/spool.ts'
import {
  catcherPid,
  createFolder,
  processesOf,
  readAll,
  readSynced,
  waitForRecords,
} from './world.ts'

const sliver = 'slice@n1'

/** A folder with a spool and the streams of its slivers, as an agent has them. */
async function openAgent(path: string, answerWithinMs = 1_000) {
  const spool: Spool = await openSpool(join(path, 'spool'))
  const dir = join(path, 'catchers')
  const streams = createSliverStreams({ spool, dir, answerWithinMs })
  return {
    spool,
    streams,
    catcher: () => catcherPid(dir) ?? 0,
    ensure: (id = sliver) => streams.ensure(id, join(path, 'measure', id)),
    write: (value: number, id = sliver) =>
      writeFile(join(path, 'measure', id, 'measure'), `count value=${value}\n`),
    async [Symbol.asyncDispose]() {
      await streams.stop()
      await spool.close()
    },
  }
}

function values(spool: Spool): readonly unknown[] {
  return readAll(spool).map(({ fields }) => fields['value'])
}

/** Fail to remove a sliver, because its catcher is stopped while a line waits for it. Returns the process id of the catcher. */
async function failToRemove(agent: Awaited<ReturnType<typeof openAgent>>): Promise<number> {
  await agent.ensure()
  await agent.write(1)
  await waitForRecords(agent.spool, 1)
  const pid = agent.catcher()
  process.kill(pid, 'SIGSTOP')
  await agent.write(2)
  await expect(agent.streams.remove(sliver)).rejects.toThrow('has not answered')
  return pid
}

it('removes a sliver when it is asked again, though the catcher did not answer the first time, and each line is there once', async () => {
  await using folder = await createFolder()
  await using agent = await openAgent(folder.path)
  const pid = await failToRemove(agent)
  await expect(agent.streams.remove(sliver)).rejects.toThrow('has not answered')
  process.kill(pid, 'SIGCONT')
  await agent.streams.remove(sliver)
  await readSynced(agent.spool)
  expect(values(agent.spool)).toEqual([1, 2])
  expect(processesOf(join(folder.path, 'catchers'))).toEqual([])
})

it('loses no line of a sliver whose catcher is killed before it has answered that the sliver is removed', async () => {
  await using folder = await createFolder()
  await using agent = await openAgent(folder.path)
  const pid = await failToRemove(agent)
  process.kill(pid, 'SIGKILL')
  await agent.streams.remove(sliver)
  await readSynced(agent.spool)
  expect(values(agent.spool)).toEqual([1, 2])
})

it('goes on with a sliver that could not be caught in time as soon as the catcher goes on', async () => {
  await using folder = await createFolder()
  await using agent = await openAgent(folder.path)
  await agent.ensure('1@1')
  const pid = agent.catcher()
  process.kill(pid, 'SIGSTOP')
  await expect(agent.ensure()).rejects.toThrow('has not answered')
  // Others come and are refused meanwhile: that takes nothing from the first ones.
  await expect(agent.ensure('3@1')).rejects.toThrow('has not answered')
  await agent.write(1)
  process.kill(pid, 'SIGCONT')
  await waitForRecords(agent.spool, 1)
  await agent.ensure()
  await agent.write(2)
  await waitForRecords(agent.spool, 2)
  expect(values(agent.spool)).toEqual([1, 2])
})

it('reads each line once of a sliver whose FIFO was replaced while the catcher did not answer', async () => {
  await using folder = await createFolder()
  await using agent = await openAgent(folder.path)
  await agent.ensure()
  const pid = agent.catcher()
  process.kill(pid, 'SIGSTOP')
  await agent.write(1)
  await rm(join(folder.path, 'measure', sliver, 'measure'))
  await expect(agent.ensure()).rejects.toThrow('has not answered')
  process.kill(pid, 'SIGCONT')
  await agent.ensure()
  for (const value of [2, 3]) await agent.write(value)
  await waitForRecords(agent.spool, 3)
  await agent.streams.remove(sliver)
  expect(values(agent.spool)).toEqual([1, 2, 3])
})

it('ends at once while the catcher does not answer', async () => {
  await using folder = await createFolder()
  const agent = await openAgent(folder.path)
  await agent.ensure()
  process.kill(agent.catcher(), 'SIGSTOP')
  const removal = agent.streams.remove(sliver)
  const refused = expect(removal).rejects.toThrow()
  await agent.streams.stop()
  await refused
  await agent.spool.close()
})

/** What happens around one sliver. Its program has the FIFO open all the time, so what is in it stays. */
const happenings = ['write', 'stop', 'continue', 'kill', 'restart', 'ensure', 'remove'] as const

it('counts each line once, whatever happens to catcher and agent meanwhile, and however often a call is made again', async () => {
  const sequences = fc.array(fc.constantFrom(...happenings), { minLength: 4, maxLength: 14 })
  await fc.assert(fc.asyncProperty(sequences, happen), { numRuns: 12, endOnFailure: true })
})

async function happen(sequence: readonly (typeof happenings)[number][]): Promise<void> {
  await using folder = await createFolder()
  const path = join(folder.path, 'measure', sliver, 'measure')
  let agent = await openAgent(folder.path)
  const open: FileHandle[] = []
  let written = 0
  const signal = (name: NodeJS.Signals): void => {
    const pid = agent.catcher()
    if (pid > 0) process.kill(pid, name)
  }
  const ensure = async (): Promise<void> => {
    await agent.ensure().catch(() => undefined)
    if (open.length === 0) open.push(await openFile(path, constants.O_RDWR))
  }
  await ensure()
  for (const what of sequence)
    if (what === 'write') for (const fifo of open) await fifo.write(`count value=${++written}\n`)
    else if (what === 'stop') signal('SIGSTOP')
    else if (what === 'continue') signal('SIGCONT')
    else if (what === 'kill') signal('SIGKILL')
    else if (what === 'ensure') await ensure()
    else if (what === 'remove') {
      const isRemoved = await agent.streams.remove(sliver).then(
        () => true,
        () => false,
      )
      if (isRemoved) await open.pop()?.close()
    } else {
      await agent[Symbol.asyncDispose]()
      agent = await openAgent(folder.path)
    }
  signal('SIGCONT')
  await agent[Symbol.asyncDispose]()
  agent = await openAgent(folder.path, 10_000)
  await agent.streams.remove(sliver)
  await open.pop()?.close()
  await readSynced(agent.spool)
  expect(values(agent.spool)).toEqual(Array.from({ length: written }, (_, at) => at + 1))
  await agent[Symbol.asyncDispose]()
}

it('counts each line of a flood, whose catcher is killed while it throws lines away', async () => {
  await using folder = await createFolder()
  const spool = await openSpool(join(folder.path, 'spool'))
  const dir = join(folder.path, 'catchers')
  const streams = createSliverStreams({
    spool,
    dir,
    byteRate: { perSecond: 20_000, burst: 70_000 },
  })
  const ensure = () => streams.ensure(sliver, join(folder.path, 'measure'))
  await ensure()
  const fifo = await openFile(join(folder.path, 'measure/measure'), constants.O_RDWR)
  let written = 0
  for (let round = 0; round < 10; round++) {
    const lines = Array.from({ length: 50_000 }, () => `count value=${++written}\n`)
    const writing = fifo.write(lines.join(''))
    await delay(2 + 2 * round)
    const pid = catcherPid(dir)
    if (pid !== null) process.kill(pid, 'SIGKILL')
    await ensure()
    await writing
  }
  await streams.remove(sliver)
  await fifo.close()
  const records = await readSynced(spool)
  const lines = (of: string): number =>
    records
      .filter(({ name }) => name === of)
      .reduce((sum, { fields }) => sum + Number(fields['lines'] ?? 1), 0)
  expect(lines('count') + lines('rejected') + lines('dropped')).toBe(written)
  // No part of a line was taken for a line.
  expect(new Set(records.map(({ name }) => name))).toEqual(new Set(['count', 'rejected']))
  const reasons = records.filter(({ name }) => name === 'rejected').map((r) => r.fields['reason'])
  expect(reasons.filter((one) => typeof one !== 'string' || !one.startsWith('more '))).toEqual([])
  await streams.stop()
  await spool.close()
})

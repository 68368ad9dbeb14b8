import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { gzipSync } from 'node:zlib'
import type { NodeTarget, SampleRecord, SliverTarget } from '@community-lab/contract'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openSpool } from '../../../agent/src/measurement/spool/file-spool.ts'
import { eventually } from '../../support/eventually.ts'
import { ownPlace } from '../../support/place.ts'
import { aTemplate } from '../../unit/agent/plan/situation.ts'
import { readSynced } from './measurement/world.ts'
import {
  enrolByHand,
  shiftClock,
  startNodeServer,
  startWholeAgent,
  type NodeServer,
} from './process/whole-agent.ts'
import { mgmtPrefix, powerOn, sliverMacPrefix, type Machine } from './sliver/world/machine.ts'
import { buildTemplate, wanted, type TestTemplate } from './sliver/world/template.ts'

const nodeId = 3
const dayMs = 86_400_000

describe.runIf(process.getuid?.() === 0)('the program of the agent', () => {
  let machine: Machine
  let server: NodeServer
  let dataDir: string
  let template: TestTemplate

  beforeEach(async () => {
    machine = await powerOn(ownPlace(), true)
    template = await buildTemplate(machine.dir)
    dataDir = join(machine.dir, 'data')
    server = await startNodeServer(machine, nodeId)
    await enrolByHand(dataDir, { nodeId, server })
    await shiftClock(machine, 0)
  })
  afterEach(async () => {
    server[Symbol.dispose]()
    await machine[Symbol.asyncDispose]()
  })

  /** The first processes of slivers, each with the time of its start. */
  const firstProcesses = async (): Promise<readonly string[]> => {
    const stats = 'cat $(grep -lx dropbear /proc/[0-9]*/comm | sed s/comm/stat/)'
    const lines = (await machine.sh(stats)).trim().split('\n')
    return lines.map((line) => [0, 21].map((field) => line.split(' ')[field]).join(' '))
  }

  const write = async (pid: string, value: number): Promise<void> => {
    const fifo = `/proc/${pid}/root/run/community-lab/measure`
    await machine.sh(`echo count value=${value} > ${fifo}`)
  }

  const samples = async (): Promise<readonly SampleRecord[]> => {
    const spool = await openSpool(join(dataDir, 'spool'))
    try {
      return await readSynced(spool)
    } finally {
      await spool.close()
    }
  }

  /** Count the readings of the node's health so far. The frames of the spool contain JSON. */
  const countReadings = async (): Promise<number> => {
    const folder = join(dataDir, 'spool')
    const names = await readdir(folder)
    const files = await Promise.all(names.map((name) => readFile(join(folder, name), 'latin1')))
    return files.join('').split('"node_health"').length - 1
  }

  /** Wait for a reading that began after this call. */
  const nextReading = async (): Promise<void> => {
    const before = await countReadings()
    await eventually(async () => {
      if ((await countReadings()) < before + 2) throw new Error('no reading')
    })
  }

  const target = (...slivers: readonly SliverTarget[]): NodeTarget => ({
    node: { id: nodeId, name: `n${nodeId}`, set_state: 'production', boot_sn: 0 },
    testbed: { mgmt_ipv6_prefix: mgmtPrefix, sliver_mac_prefix: sliverMacPrefix },
    slivers: [...slivers],
  })

  /** A sliver whose image has a path on the server. */
  const served = (sliceId: number, { sha256, image }: TestTemplate): SliverTarget => {
    const path = `/api/templates/${sha256.slice(0, 8)}/image`
    server.change({ images: { [path]: image } })
    return wanted(sliceId, template, {
      template: { ...aTemplate, image_uri: path, image_sha256: sha256 },
    })
  }

  /** The same template with another checksum. */
  const sameTemplateAgain = async (): Promise<TestTemplate> => {
    const image = join(machine.dir, 'again.tar.gz')
    const content = Buffer.concat([await readFile(template.image), gzipSync('')])
    await writeFile(image, content)
    return { image, sha256: createHash('sha256').update(content).digest('hex') }
  }

  test('ends at SIGTERM in the middle of a download, loses no sample meanwhile, and the next one downloads again', async () => {
    const agent = startWholeAgent(machine, dataDir)
    const first = served(1, template)
    server.change({ target: target(first) })
    await server.started('1@3')
    const before = await firstProcesses()
    const [pid = ''] = before[0]?.split(' ') ?? []
    await write(pid, 1)

    const second = served(2, await sameTemplateAgain())
    server.change({ sendsWholeImages: false, target: target(first, second) })
    await server.hasSentHalf
    expect(await agent.stop()).toBe(0)
    await write(pid, 2)
    server.change({ sendsWholeImages: true })

    const next = startWholeAgent(machine, dataDir)
    await server.started('1@3', '2@3')
    await write(pid, 3)
    expect(await firstProcesses()).toEqual(expect.arrayContaining([...before]))
    const parts = (await readdir(join(dataDir, 'templates'))).filter((name) => name.startsWith('.'))
    expect(parts).toEqual([])
    // The removal of a sliver reads the rest of its samples.
    server.change({ target: target(second) })
    await server.started('2@3')
    expect(await next.stop()).toBe(0)
    const written = (await samples()).filter(({ name }) => name === 'count')
    expect(written.map(({ fields }) => fields['value'])).toEqual([1, 2, 3])
  })

  test('goes on when the clock is set a day forward and back, keeps its slivers, and each sample has the time of the clock', async () => {
    const began = Date.now()
    const agent = startWholeAgent(machine, dataDir)
    const slivers = [1, 2, 3].map((sliceId) => served(sliceId, template))
    const before: string[] = []
    const shifts = [0, dayMs, -dayMs]
    for (const [index, shiftMs] of shifts.entries()) {
      await shiftClock(machine, shiftMs)
      const wantedNow = slivers.slice(0, index + 1)
      server.change({ target: target(...wantedNow) })
      // The agent polls, plans and starts slivers with each setting of the clock.
      await server.started(...wantedNow.map(({ id }) => id))
      await nextReading()
      const now = await firstProcesses()
      expect(now).toEqual(expect.arrayContaining(before))
      before.splice(0, before.length, ...now)
    }
    await shiftClock(machine, 0)
    expect(await agent.stop()).toBe(0)

    const ended = Date.now()
    const own = (await samples()).filter(({ source }) => source === 'node')
    const shiftOf = ({ time_us: timeUs }: SampleRecord): number | undefined =>
      shifts.find((shiftMs) => {
        const atMs = timeUs / 1000 - shiftMs
        return began <= atMs && atMs <= ended
      })
    expect([...new Set(own.map(shiftOf))].sort()).toEqual([...shifts].sort())
    // A reading each second, and not one for each second of the days that the clock was moved.
    const readings = own.filter(({ name }) => name === 'node_health')
    expect(readings.length).toBeLessThan((2 * (ended - began)) / 1000 + 2)
  })
})

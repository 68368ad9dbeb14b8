import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { describe, expect, it } from 'vitest'
import { runCommand } from '../../../../agent/src/sliver/host/command.ts'
import { cutsOf, writeImage } from '../../../support/power/disk.ts'
import { compact, day, hourMs, minutes, readRtt, sealedFiles } from './sealed-world.ts'
import { fromNode, makeFolder, openStore } from './world.ts'

describe('a server that is killed while it seals and merges', () => {
  it('has each row once, before whichever copy, begin or commit that happens, and goes on from there', async () => {
    await using folder = await makeFolder()
    const made = join(folder.dir, 'made')
    const late = day + 3 * hourMs
    {
      await using store = await openStore(made)
      await store.append(fromNode(minutes(1, { at: day, count: 130 })))
      await compact(store, day + 2 * hourMs + 11 * 60_000)
      await store.append(fromNode(minutes(131, { at: day, count: 20 })))
      await store.append(fromNode(minutes(151, { at: late, count: 5 })))
    }
    const seqs = Array.from({ length: 155 }, (_, at) => at + 1)
    const program = join(import.meta.dirname, 'compaction-child.ts')
    const nextDay = day + 40 * hourMs
    // Sealing writes a file for the other DuckDB, which writes the sealed one; merging writes one.
    const steps = ['copy', 'copy', 'begin', 'commit', 'copy', 'begin', 'commit', 'none']

    /** Returns whether it was killed, and how many files there were when it was opened again. */
    async function tryStep(step: number) {
      const dir = join(folder.dir, String(step))
      await cp(made, dir, { recursive: true })
      const child = spawn(process.execPath, [program, dir, String(nextDay), String(step)], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, NODE_COMPILE_CACHE: join(folder.dir, 'compiled') },
      })
      const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
      await using store = await openStore(dir)
      expect((await readRtt(store)).map((row) => row['seq'])).toEqual(seqs)
      expect((await store.list()).map(({ rows }) => rows)).toEqual([155])
      const files = await sealedFiles(dir)
      await compact(store, nextDay)
      expect((await readRtt(store)).map((row) => row['seq'])).toEqual(seqs)
      expect(await sealedFiles(dir)).toHaveLength(1)
      return { end: code ?? signal, files: files.length }
    }

    // Two files before; three when the rest was sealed; one when they were merged.
    const end = 'SIGKILL'
    expect(await Promise.all(steps.map((_, at) => tryStep(at + 1)))).toEqual([
      ...Array.from({ length: 4 }, () => ({ end, files: 2 })),
      ...Array.from({ length: 3 }, () => ({ end, files: 3 })),
      { end: 0, files: 1 },
    ])
  })
})

describe('a server whose power is cut while it seals and merges', () => {
  it('has each row once, whatever the disk had of the files by then, and goes on from there', async () => {
    await using folder = await makeFolder()
    const before = join(folder.dir, 'before')
    const root = join(folder.dir, 'root')
    const record = join(folder.dir, 'record')
    {
      await using store = await openStore(before)
      await store.append(fromNode(minutes(1, { at: day, count: 130 })))
      await compact(store, day + 2 * hourMs + 11 * 60_000)
      await store.append(fromNode(minutes(131, { at: day, count: 20 })))
    }
    await cp(before, root, { recursive: true })
    const nextDay = day + 40 * hourMs
    const power = join(import.meta.dirname, '../../../support/power/record-steps.ts')
    const program = join(import.meta.dirname, 'compaction-child.ts')
    const child = spawn(
      process.execPath,
      ['--import', power, program, root, String(nextDay), 'none'],
      {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, POWER_LOG: record, POWER_ROOT: root },
      },
    )
    expect(await once(child, 'exit')).toEqual([0, null])
    const seed = Number(process.env['POWER_SEED'] ?? 1)
    const most = Number(process.env['POWER_CUTS'] ?? 300) / 60
    const seqs = Array.from({ length: 150 }, (_, at) => at + 1)
    let commits = 0
    for (const cut of cutsOf(record, { root, before, perMoment: 1, most, seed })) {
      await using left = await makeFolder('/dev/shm')
      writeImage(cut.image, left.dir)
      commits = Number(cut.events.at(-1) ?? 0)
      // What DuckDB has committed is on the disk.
      const database = commits === 0 ? before : join(folder.dir, `commit-${commits}`)
      for (const name of ['telemetry.duckdb', 'telemetry.duckdb.wal']) {
        await rm(join(left.dir, name), { force: true })
        await cp(join(database, name), join(left.dir, name)).catch(() => undefined)
      }
      const troubles: string[] = []
      await using store = await openStore(left.dir, {
        // Files that no commit names are set aside.
        onTrouble(sentence) {
          if (!sentence.includes('is not in the list of sealed files')) troubles.push(sentence)
        },
      })
      const read = async () => (await readRtt(store)).map((row) => row['seq'])
      const which = [cut.steps, cut.seed]
      expect([which, await read(), troubles]).toEqual([which, seqs, []])
      await compact(store, nextDay)
      expect([which, await read(), await sealedFiles(left.dir)]).toEqual([
        which,
        seqs,
        [expect.any(String) as string],
      ])
    }
    expect(commits).toBeGreaterThan(1)
  })
})

describe('a disk that is full while a server seals', () => {
  it.runIf(process.getuid?.() === 0)(
    'costs no row: what failed is told, and done when there is room, and then nothing is told',
    async () => {
      await using folder = await makeFolder()
      const dir = join(folder.dir, 'disk')
      await mkdir(dir)
      await runCommand(['mount', '-t', 'tmpfs', '-o', 'size=32m', 'seal-test', dir])
      try {
        await using store = await openStore(dir, { minFreeMiB: 0 })
        await store.append(fromNode(minutes(1, { at: day, count: 150 })))
        const before = await readRtt(store)
        const filler = join(dir, 'filler')
        const file = await open(filler, 'w')
        const block = Buffer.alloc(4096)
        await expect(
          (async () => {
            for (;;) await file.writeFile(block)
          })(),
        ).rejects.toMatchObject({ code: 'ENOSPC' })
        await file.close()
        const late = day + 2 * hourMs + 11 * 60_000
        await store.compact(late)
        const { sealed, failures } = await store.compact(late)
        expect({ sealed, failures }).toEqual({
          sealed: 0,
          failures: [expect.stringMatching(/^slice-1\/rtt: .*No space left/u)],
        })
        expect(await readRtt(store)).toEqual(before)
        expect(await sealedFiles(dir)).toEqual([])
        await rm(filler)
        expect(await compact(store, late)).toMatchObject({ sealed: 2, rows: 120 })
        expect(await readRtt(store)).toEqual(before)
        expect(store.health()).toEqual({ ok: true })
      } finally {
        await runCommand(['umount', '-l', dir])
      }
    },
  )
})

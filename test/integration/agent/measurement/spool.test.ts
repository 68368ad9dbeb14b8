import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import {
  appendFile,
  cp,
  mkdtemp,
  readdir,
  rm,
  stat,
  statfs,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openSpool } from '../../../../agent/src/measurement/spool/file-spool.ts'
import { runCommand } from '../../../../agent/src/sliver/host/command.ts'
import { readSynced, sampleOf } from './world.ts'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spool-'))
})
afterEach(async () => {
  await rm(dir, { recursive: true })
})

describe('a spool', () => {
  it('numbers samples from 1 without a gap, and goes on where it was after it is opened again', async () => {
    const first = await openSpool(dir)
    first.append([sampleOf(1), sampleOf(2)], { marks: { position: 7 } })
    await first.close()
    const second = await openSpool(dir)
    second.append([sampleOf(3)])
    expect(second.id).toBe(first.id)
    expect(second.mark('position')).toBe(7)
    expect(await readSynced(second)).toEqual(
      [1, 2, 3].map((value) => ({ seq: value, ...sampleOf(value) })),
    )
    await second.close()
  })

  it('is read only as far as it would survive a power cut', async () => {
    const spool = await openSpool(dir)
    spool.append([sampleOf(1)])
    expect(spool.read(1, 10)).toEqual([])
    await spool.sync()
    expect(spool.read(1, 10)).toHaveLength(1)
    await spool.close()
  })

  it('cuts a torn tail, whatever its length, and keeps all before it', async () => {
    const name = await firstSegment(dir)
    const whole = await openSpool(dir)
    whole.append([sampleOf(1)])
    const keptBytes = (await stat(join(dir, name()))).size
    whole.append([sampleOf('torn')])
    await whole.close()
    const fullBytes = (await stat(join(dir, name()))).size
    for (let bytes = fullBytes - 1; bytes > keptBytes; bytes -= 7) {
      await truncate(join(dir, name()), bytes)
      const spool = await openSpool(dir)
      expect(spool.lastSeq).toBe(1)
      spool.append([sampleOf('torn')])
      await spool.close()
    }
    await appendFile(join(dir, name()), Buffer.alloc(4096))
    const spool = await openSpool(dir)
    expect(spool.lastSeq).toBe(2)
    await spool.close()
  })

  it('keeps its marks when the segments that set them are trimmed away', async () => {
    const spool = await openSpool(dir, { maxBytes: 16_384 })
    spool.append([], { marks: { position: 42, gone: 1 } })
    spool.append([], { marks: { gone: null } })
    for (let value = 1; value <= 50; value++) spool.append([sampleOf(value)])
    spool.trim(50)
    expect(spool.firstSeq).toBe(51)
    await spool.close()
    const again = await openSpool(dir)
    expect([again.lastSeq, again.mark('position'), again.mark('gone')]).toEqual([50, 42, undefined])
    await again.close()
  })

  it('drops new samples when it is full, and tells how many once there is room, also after a restart', async () => {
    const spool = await openSpool(dir, { maxBytes: 8192 })
    let kept = 0
    while (spool.append([sampleOf(kept)])) kept++
    spool.append([sampleOf(0), sampleOf(0)])
    expect(spool.append([sampleOf(0)], { whenFull: 'refuse' })).toBe(false)
    await spool.close()
    const again = await openSpool(dir, { maxBytes: 8192 })
    await again.sync()
    again.trim(kept)
    again.append([sampleOf('after')])
    again.append([sampleOf('later')])
    const records = (await readSynced(again)) as { name: string; fields: object }[]
    expect(records.map(({ name, fields }) => [name, fields])).toEqual([
      ['dropped', { lines: 3 }],
      ['count', { value: 'after' }],
      ['count', { value: 'later' }],
    ])
    await again.close()
  })

  it('put back to an earlier state, keeps what came since under new numbers', async () => {
    const spool = await openSpool(join(dir, 'spool'))
    for (let value = 1; value <= 60; value++) spool.append([sampleOf(value)])
    await spool.sync()
    await cp(join(dir, 'spool'), join(dir, 'backup'), { recursive: true })
    for (let value = 61; value <= 100; value++) spool.append([sampleOf(value)])
    await spool.close()
    const restored = await openSpool(join(dir, 'backup'))
    expect(restored.isOutrun(60)).toBe(false)
    for (let value = 201; value <= 240; value++)
      restored.append([sampleOf(value)], { marks: { position: value } })
    // The server has committed 80 of those it was sent before.
    expect(restored.isOutrun(80)).toBe(true)
    restored.renew()
    restored.append([sampleOf(241)])
    const values = Array.from({ length: 41 }, (_, at) => ({ seq: at + 1, ...sampleOf(201 + at) }))
    expect(await readSynced(restored)).toEqual(values)
    expect(restored.isOutrun(41)).toBe(false)
    await restored.close()
    const again = await openSpool(join(dir, 'backup'))
    expect([again.id, again.lastSeq, again.mark('position')]).toEqual([restored.id, 41, 240])
    expect(await readSynced(again)).toEqual(values)
    await again.close()
  })

  it('counts on when the file of its count was torn', async () => {
    const spool = await openSpool(dir, { maxBytes: 8192 })
    while (spool.append([sampleOf(0)]));
    for (let more = 0; more < 99; more++) spool.append([sampleOf(0)])
    await spool.sync()
    spool.trim(spool.lastSeq)
    spool.append([sampleOf('told')])
    await spool.close()
    await writeFile(join(dir, 'dropped.json'), '')
    const again = await openSpool(dir, { maxBytes: 8192 })
    for (let dropped = 0; dropped < 60;) if (!again.append([sampleOf(0)])) dropped++
    await again.sync()
    const { lastSeq } = again
    again.trim(lastSeq)
    again.append([sampleOf('after')])
    await again.sync()
    expect(again.read(lastSeq + 1, 1)).toMatchObject([{ name: 'dropped', fields: { lines: 60 } }])
    await again.close()
  })

  it('goes on as a new spool when told to, with its marks and without what was read', async () => {
    const spool = await openSpool(dir)
    const { id } = spool
    spool.append([sampleOf(1)], { marks: { position: 1 } })
    expect(await readSynced(spool)).toHaveLength(1)
    spool.renew()
    spool.append([sampleOf('new')])
    await spool.close()
    const again = await openSpool(dir)
    expect(again.id).not.toBe(id)
    expect(again.mark('position')).toBe(1)
    expect(await readSynced(again)).toEqual([{ seq: 1, ...sampleOf('new') }])
    await again.close()
  })

  it('loses and doubles nothing that it took, however often its process is killed', async () => {
    let told = 0
    for (let kill = 0; kill < 20; kill++) told = await appendUntilKilled(dir, told, 40 + kill * 9)
    const spool = await openSpool(dir)
    expect(spool.lastSeq).toBeGreaterThanOrEqual(told)
    expect(spool.mark('position')).toBe(spool.lastSeq)
    const records = await readSynced(spool)
    expect(records.length).toBe(spool.lastSeq)
    expect(records.every(({ seq, fields }, at) => seq === at + 1 && fields['value'] === seq)).toBe(
      true,
    )
    await spool.close()
  })
})

it.runIf(process.getuid?.() === 0)(
  'begins no segment by halves on a full disk, holds no file of it open, and lets go of what was acknowledged',
  async () => {
    await runCommand(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'spool-test', dir])
    try {
      const folder = join(dir, 'spool')
      const options = { maxBytes: 8 * 64 * 1024 }
      const spool = await openSpool(folder, options)
      const marks = Array.from({ length: 60 }, (_, at) => [`catcher ${at}`, 'x'.repeat(150)])
      spool.append([sampleOf(0)], { marks: Object.fromEntries(marks) as Record<string, string> })
      const padded = sampleOf('z'.repeat(900))
      while (spool.append([padded]) && (await readdir(folder)).length < 2);
      // Nearly a segment more, so that the next one is to be begun on a disk with a page or two.
      while ((await newest(folder)).size < 63 * 1024) spool.append([padded])
      await spool.sync()
      const filler = openSync(join(dir, 'filler'), 'w')
      const free = await statfs(dir)
      writeSync(filler, Buffer.alloc((free.bavail - 2) * 4096))
      const openFiles = (await readdir('/proc/self/fd')).length
      const taken = Array.from({ length: 50 }, () => spool.append([padded]))
      expect(taken).toContain(false)
      expect((await readdir('/proc/self/fd')).length).toBeLessThanOrEqual(openFiles + 1)
      await spool.sync()
      const { lastSeq } = spool
      spool.trim(lastSeq)
      expect(spool.firstSeq).toBe(lastSeq + 1)
      ftruncateSync(filler)
      closeSync(filler)
      expect(spool.append([sampleOf('after')])).toBe(true)
      await spool.close()
      const again = await openSpool(folder, options)
      expect(again.mark('catcher 59')).toHaveLength(150)
      expect((await readSynced(again)).at(-1)).toMatchObject(sampleOf('after'))
      await again.close()
    } finally {
      await runCommand(['umount', dir])
    }
  },
)

async function newest(folder: string): Promise<{ readonly size: number }> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.spool')).sort()
  return stat(join(folder, names.at(-1) ?? ''))
}

async function firstSegment(folder: string): Promise<() => string> {
  const spool = await openSpool(folder)
  await spool.close()
  const [name = ''] = (await readdir(folder)).filter((file) => file.endsWith('.spool'))
  return () => name
}

/** Run the appender, kill it after it has told some seqs, return the last one it told. */
async function appendUntilKilled(folder: string, told: number, lines: number): Promise<number> {
  const program = join(import.meta.dirname, 'process/appender.ts')
  const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  let last = told
  let seen = 0
  for await (const line of createInterface({ input: child.stdout })) {
    const seq = Number(line)
    expect(seq).toBeGreaterThan(last)
    last = seq
    if (++seen === lines) child.kill('SIGKILL')
  }
  await exited
  return last
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdtemp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Sample } from '../../../../agent/src/measurement/sample.ts'
import { openSpool, type Spool } from '../../../../agent/src/measurement/spool/spool.ts'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spool-'))
})
afterEach(async () => {
  await rm(dir, { recursive: true })
})

function sampleOf(value: number | string): Sample {
  return { time_us: 1_000_000, source: 'node', name: 'count', fields: { value } }
}

async function readAll(spool: Spool): Promise<unknown[]> {
  await spool.sync()
  const records = []
  for (let seq = spool.firstSeq; ;) {
    const some = spool.read(seq, 1000)
    if (some.length === 0) return records
    records.push(...some)
    seq += some.length
  }
}

describe('a spool', () => {
  it('numbers samples from 1 without a gap, and goes on where it was after it is opened again', async () => {
    const first = await openSpool(dir)
    first.append([sampleOf(1), sampleOf(2)], { marks: { position: 7 } })
    await first.close()
    const second = await openSpool(dir)
    second.append([sampleOf(3)])
    expect(second.id).toBe(first.id)
    expect(second.mark('position')).toBe(7)
    expect(await readAll(second)).toEqual(
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
    const records = (await readAll(again)) as { name: string; fields: object }[]
    expect(records.map(({ name, fields }) => [name, fields])).toEqual([
      ['dropped', { lines: 3 }],
      ['count', { value: 'after' }],
      ['count', { value: 'later' }],
    ])
    await again.close()
  })

  it('fills what is damaged on disk with dropped records, so that no seq is missing', async () => {
    const spool = await openSpool(dir, { maxBytes: 16_384 })
    for (let value = 1; value <= 60; value++) spool.append([sampleOf(value)])
    await spool.close()
    const [oldest = ''] = (await readdir(dir)).filter((name) => name.endsWith('.spool')).sort()
    await truncate(join(dir, oldest), 1000)
    const again = await openSpool(dir, { maxBytes: 16_384 })
    const records = (await readAll(again)) as { seq: number; name: string }[]
    expect(records.map(({ seq }) => seq)).toEqual(Array.from({ length: 60 }, (_, at) => at + 1))
    expect(records.filter(({ name }) => name === 'dropped').length).toBeGreaterThan(3)
    expect(records.at(-1)?.name).toBe('count')
    await again.close()
  })

  it('refuses to number on when the head of its newest segment is damaged', async () => {
    const spool = await openSpool(dir)
    await spool.close()
    const [name = ''] = (await readdir(dir)).filter((file) => file.endsWith('.spool'))
    await writeFile(join(dir, name), 'no head')
    await expect(openSpool(dir)).rejects.toMatchObject({ code: 'LAB_AGENT_SPOOL_DAMAGED' })
  })

  it('goes on as a new spool when told to, with its marks', async () => {
    const spool = await openSpool(dir)
    const { id } = spool
    spool.append([sampleOf(1)], { marks: { position: 1 } })
    spool.renew()
    spool.append([sampleOf('new')])
    await spool.close()
    const again = await openSpool(dir)
    expect(again.id).not.toBe(id)
    expect(again.mark('position')).toBe(1)
    expect(await readAll(again)).toEqual([{ seq: 1, ...sampleOf('new') }])
    await again.close()
  })

  it('loses and doubles nothing that it took, however often its process is killed', async () => {
    let told = 0
    for (let kill = 0; kill < 20; kill++) told = await appendUntilKilled(dir, told, 40 + kill * 9)
    const spool = await openSpool(dir)
    expect(spool.lastSeq).toBeGreaterThanOrEqual(told)
    expect(spool.mark('position')).toBe(spool.lastSeq)
    const records = (await readAll(spool)) as { seq: number; fields: { value: number } }[]
    expect(records.length).toBe(spool.lastSeq)
    expect(records.every(({ seq, fields }, at) => seq === at + 1 && fields.value === seq)).toBe(
      true,
    )
    await spool.close()
  })
})

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

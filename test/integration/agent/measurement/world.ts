import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SampleRecord } from '@community-lab/contract'
import { isFull } from '../../../../agent/src/errno.ts'
import type { Sample } from '../../../../agent/src/measurement/sample.ts'
import type { Spool } from '../../../../agent/src/measurement/spool/spool.ts'

/** A temporary folder; at its end the catcher that runs in it is killed and it is removed. */
export async function createFolder(
  parent = tmpdir(),
): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(parent, 'measurement-'))
  return {
    path,
    async [Symbol.asyncDispose]() {
      const pid = catcherPid(join(path, 'catchers'))
      if (pid !== null) process.kill(pid, 'SIGKILL')
      await rm(path, { recursive: true, force: true })
    },
  }
}

/** The catcher that runs on a folder; null when none does. */
export function catcherPid(folder: string): number | null {
  try {
    const pid = Number(readFileSync(join(folder, 'lock'), 'utf8'))
    const command = readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').split('\0')
    return command.includes(folder) ? pid : null
  } catch {
    // It has ended, or never was.
    return null
  }
}

/** The catcher that has told in a folder that it catches what it is to catch; null when none has, or it has ended. */
export function catchingPid(folder: string): number | null {
  const pid = catcherPid(folder)
  const [, , told] = readFileSync(join(folder, 'caught'), 'utf8').split(/\s/u)
  return String(pid) === told ? pid : null
}

/** Start a program of this folder, and wait until it tells that it is ready. */
export async function startProgram(name: string, argument: string): Promise<ChildProcess> {
  const program = join(import.meta.dirname, 'process', name)
  const child = spawn(process.execPath, [program, argument], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return child
}

/** Kill a process and wait until it is gone. */
export async function killHard(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

/** A program of a sliver: writes lines `count writer=<writer> value=<1…>` at about 1,000 a second; resolves with how it ended (exit code or signal) and the longest write in ms. */
export async function runWriter(
  fifo: string,
  writer: number,
  lines: number,
): Promise<{ ended: unknown; longestMs: number }> {
  const script = `
    use Time::HiRes 'time'; my ($fifo, $writer, $lines) = @ARGV; my $longest = 0;
    open(my $out, '>', $fifo) or die $!;
    for my $value (1 .. $lines) {
      my $line = "count writer=$writer value=$value\\n"; my $began = time;
      syswrite($out, $line) == length $line or die $!;
      $longest = time - $began if time - $began > $longest;
      select(undef, undef, undef, 0.001);
    }
    print $longest * 1000;`
  const child = spawn('perl', ['-e', script, fifo, String(writer), String(lines)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const [code, signal] = (await once(child, 'close')) as unknown[]
  return { ended: signal ?? code, longestMs: Number(text) }
}

/** Wait until a spool holds at least so many records, and return all. */
export async function waitForRecords(spool: Spool, count: number): Promise<SampleRecord[]> {
  while (spool.syncedSeq < count) {
    await new Promise<void>((resolve) => {
      const unsubscribe = spool.onAppend(() => {
        unsubscribe()
        resolve()
      })
    })
  }
  return readAll(spool)
}

/** All records that can be read. */
export function readAll(spool: Spool): SampleRecord[] {
  const records: SampleRecord[] = []
  for (;;) {
    const some = spool.read(spool.firstSeq + records.length, 5000)
    if (some.length === 0) return records
    records.push(...some)
  }
}

/** A sample of the node. */
export function sampleOf(value: number | string): Sample {
  return { time_us: 1_000_000, source: 'node', name: 'count', fields: { value } }
}

/** All records, after a sync. */
export async function readSynced(spool: Spool): Promise<SampleRecord[]> {
  await spool.sync()
  return readAll(spool)
}

/** The processes that have a folder among their arguments, also those of which its lock does not tell. */
export function processesOf(folder: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(folder)
    } catch {
      // No process, or one that has ended.
      return false
    }
  })
}

/** The values that one writer has written, see {@link runWriter}. */
export function valuesOf(records: readonly SampleRecord[], writer: number): readonly unknown[] {
  return records
    .filter(({ fields }) => fields['writer'] === writer)
    .map(({ fields }) => fields['value'])
}

/** Take all that is left of a disk. */
export function fill(path: string): void {
  try {
    for (;;) appendFileSync(path, Buffer.alloc(4096))
  } catch (error) {
    if (!isFull(error)) throw error
  }
}

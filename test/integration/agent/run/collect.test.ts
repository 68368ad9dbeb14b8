import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { collectFiles } from '../../../../agent/src/run/collect.ts'

/** Starts a program like an OCI runtime: it leaves it to others, and the program waits for two lines. */
const runtime = `use POSIX (); my ($folder, $own, @program) = @ARGV; my $pid = fork();
if ($pid == 0) { POSIX::setsid(); chdir $own; exec '/bin/sh', '-c', 'read -r _ && read -r _ && exec "$@" </dev/null', 'wait', @program }
open(my $file, '>', "$folder/pid"); print $file $pid`

/** Collect files from a folder, in which a shell script has made some. `answer`: what a sliver answers in place of what it should. */
async function collect(
  script: string,
  patterns: readonly string[],
  { answer, signal = new AbortController().signal }: { answer?: string; signal?: AbortSignal } = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'cl-collect-'))
  const [own, dir] = [join(folder, 'own'), join(folder, 'kept')]
  await mkdir(own)
  try {
    await promisify(execFile)('/bin/sh', ['-c', script], { cwd: own })
    const files = await collectFiles({
      ...{ dir, patterns, signal },
      prepare: ({ folder: of, program: { argv = [] } }) => {
        const program = answer === undefined ? argv : ['/bin/sh', '-c', answer]
        const command = ['perl', '-e', runtime, of, own, ...program]
        const none = { cgroup: null, procs: [], firstPid: 1, endingFile: '/no' }
        return Promise.resolve({ command, ...none })
      },
    })
    const contents = await Promise.all(
      files.map(async ({ sha256 }, nr) => {
        if (sha256 === null) return null
        const bytes = await readFile(join(dir, String(nr)))
        expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256)
        return bytes.toString('latin1')
      }),
    )
    return files.map(({ path, bytes, problem }, nr) => ({
      path,
      bytes,
      problem,
      content: contents[nr] ?? null,
    }))
  } finally {
    await rm(folder, { recursive: true })
  }
}

const isRunning = (program: string): Promise<boolean> =>
  promisify(execFile)('pgrep', ['-fx', program.replace('exec ', '')]).then(
    () => true,
    () => false,
  )

it('takes files by their names and patterns, each once, and says which are not kept', async () => {
  const script = `printf 'a\\0b' > one; mkdir out; echo 1 > out/1.csv; echo 2 > "out/2 3.csv"; : > empty
    ln -s /etc/passwd link; mkfifo fifo; truncate -s 1T sparse; echo no > not-asked`
  const patterns = ['one', 'out/*.csv', 'o*e', 'empty', 'link', 'fifo', 'sparse', 'none-*']
  const files = await collect(script, patterns)
  expect(files.map(({ path, content }) => [path, content])).toEqual([
    ['one', 'a\0b'],
    ['out/1.csv', '1\n'],
    ['out/2 3.csv', '2\n'],
    ['empty', ''],
    ['link', null],
    ['fifo', null],
    ['sparse', null],
    ['none-*', null],
  ])
  expect(files.slice(4).map(({ problem }) => problem)).toEqual([
    'it is no regular file; links, folders and devices are not kept',
    'it is no regular file; links, folders and devices are not kept',
    'it is too large; a run keeps at most 33554432 bytes on a sliver',
    'there is no such file',
  ])
  expect(files[6]?.bytes).toBe(1024 ** 4)
})

it('a name that cannot be told does not keep the others back, and no pattern leads to the folder above', async () => {
  const script = `touch ../above; echo 1 > "$(printf 'a\\nb')"; echo 2 > "$(printf 'c\\r')"; echo 3 > "$(printf '\\377')"; echo 4 > "$(printf '\\376')"; echo 5 > z; echo 6 > .hidden`
  const files = await collect(script, ['*', '.*', '.*/above'])
  const kept = files.filter(({ problem }) => problem === null)
  expect(kept.map(({ path, content }) => [path, content])).toEqual([
    ['z', '5\n'],
    ['.hidden', '6\n'],
  ])
  const others = files.filter(({ problem }) => problem !== null)
  expect(others.map(({ path }) => path).sort()).toEqual([
    '.*/above',
    'a\ufffdb',
    'c\ufffd',
    '\ufffd',
    '\ufffd',
  ])
})

it('takes as many bytes and files as a run may keep, and says what is beyond', async () => {
  const script = `truncate -s 20M a; truncate -s 20M b; echo c > c; for nr in $(seq 100); do : > n$nr; done`
  const files = await collect(script, ['a', 'b', 'c', 'n*'])
  const told = files.map(({ path, problem, content }) => [path, problem === null, content?.length])
  expect(told.slice(0, 3)).toEqual([
    ['a', true, 20 * 1024 ** 2],
    ['b', false, undefined],
    ['c', true, 2],
  ])
  expect(told.filter(([, isKept]) => isKept)).toHaveLength(63)
  expect(files.at(-1)?.problem).toContain('at most 64 files')
})

it.each([
  ['ends early', 'printf "file 9 ./a\\n123"', 'it has ended before the last file'],
  ['says something else', 'echo hello; exec sleep 900.1', 'a line says nothing that is known'],
  ['writes without end', 'exec yes xxxxxxxxxxxxxxxxxxxx', 'a line says nothing that is known'],
])('a sliver that %s is told, and nothing of it goes on', async (_, answer, problem) => {
  expect(await collect('true', ['a'], { answer })).toMatchObject([
    { path: 'a', problem: `the sliver did not give it (${problem})`, content: null },
  ])
  await expect.poll(() => isRunning(answer)).toBe(false)
})

it('an agent that ends does not wait for a sliver that gives nothing', async () => {
  const stop = new AbortController()
  const collecting = collect('true', ['a'], { answer: 'sleep 901', signal: stop.signal })
  const failed = expect(collecting).rejects.toThrow('over')
  stop.abort(new Error('over'))
  await failed
})

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { promisify } from 'node:util'
import type { SliverStatus } from '../../../../../agent/src/plan/observed.ts'
import type { Machine } from './machine.ts'

const perl = '/usr/bin/perl'
/** Where a sliver finds it. */
const place = '/opt/perl'

/**
 * Give a running sliver this host's perl, with a program and the libraries that it needs: the template has no language in which system calls can be made.
 * @returns the command that runs the program there.
 */
export async function givePerl(
  machine: Machine,
  { pid }: SliverStatus,
  program: string,
): Promise<string> {
  const { stdout } = await promisify(execFile)('ldd', [perl])
  // The last of them is the loader itself.
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/gu)].map(([, path = '']) => path)
  const loader = libraries.find((path) => basename(path).startsWith('ld-')) ?? ''
  const modules = await promisify(execFile)(perl, [
    ...['-Mstrict', '-Mwarnings'],
    ...['-e', 'print join " ", @INC{"strict.pm", "warnings.pm"}'],
  ])
  const files = [perl, ...libraries, modules.stdout].join(' ')
  const folder = `/proc/${pid ?? 0}/root${place}`
  await machine.sh(`mkdir -p ${folder} && cp -L ${files} ${folder} && chmod -R a+rx ${folder}`)
  const text = Buffer.from(await readFile(program)).toString('base64')
  const name = basename(program)
  await machine.sh(`echo ${text} | base64 -d > ${folder}/${name}`)
  return `${place}/${basename(loader)} --library-path ${place} ${place}/perl -I${place} ${place}/${name}`
}

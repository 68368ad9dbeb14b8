import { join } from 'node:path'
import type { SliverTarget } from '@community-lab/contract'
import type { Machine } from './machine.ts'

/** Make a data archive as a file that the agent can read. The script makes the files in a folder, and `options` are further ones of tar. */
export async function makeData(
  machine: Machine,
  name: string,
  { script, options = '' }: { readonly script: string; readonly options?: string },
): Promise<NonNullable<SliverTarget['data']>> {
  const file = join(machine.dir, `${name}.tar.gz`)
  const said = await machine.sh(`set -e
mkdir ${file}.d; cd ${file}.d
${script}
tar --owner=0 --group=0 ${options} -czf ${file} .
chmod 644 ${file}; sha256sum ${file}; stat -c %s ${file}`)
  const [first = '', size = ''] = said.trim().split('\n')
  return { uri: file, sha256: first.slice(0, 64), size_bytes: Number(size) }
}

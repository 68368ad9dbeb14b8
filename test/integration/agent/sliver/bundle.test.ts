import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { expect, it } from 'vitest'
import { chooseBundlePlaces, withBundleMounts } from '../../../../agent/src/sliver/host/bundle.ts'
import { runCommand } from '../../../../agent/src/sliver/host/command.ts'

/** Says which descriptors are of folders, as those of mounts are. */
const folders = 'for one in /proc/$$/fd/*; do test ! -d $one || echo $one; done'

it.runIf(process.getuid?.() === 0)(
  'what is run among the mounts of a bundle gets no descriptor of a mount',
  async () => {
    // Not below /tmp, which may be a mount that cannot be the layer of an overlay.
    const folder = await mkdtemp('/var/tmp/bundle-')
    try {
      await chmod(folder, 0o755)
      for (const part of ['stage', 'upper', 'work', 'bound']) await mkdir(join(folder, part))
      await writeFile(join(folder, 'config.json'), '{}')
      const ids = [{ inside: 0, outside: 100_000, count: 65_536 }]
      const seen = join(folder, 'bound', 'descriptors')
      const argv = await withBundleMounts(
        { folder, lower: { shared: '/usr', ids }, bound: { measure: join(folder, 'bound') } },
        chooseBundlePlaces(folder),
        { hidesCgroups: true, argv: ['sh', '-c', `(${folders}) > ${seen}; ls /mnt > ${seen}.mnt`] },
      )
      await runCommand(argv)
      expect(await readFile(`${seen}.mnt`, 'utf8')).toContain('measure')
      expect(await readFile(seen, 'utf8')).toBe('')
    } finally {
      await rm(folder, { recursive: true })
    }
  },
)

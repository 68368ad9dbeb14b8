import type { SliverTarget } from '@community-lab/contract'
import { mapIds } from '../domain/ids.ts'
import { fillFrom } from '../data/fill.ts'
import { makeHostKey } from '../host/host-key.ts'
import { makeRoot, writeAuthorizedKeys, writeHostKey } from '../store/root.ts'
import { requirePlatform, requireRecord, type SliverParts } from './parts.ts'
import { promisedDiskMiB } from './room.ts'
import { withData } from './with-data.ts'
import { withTemplate } from './with-template.ts'

/**
 * Make a sliver's root from its template and its data archive, and its keys. Idempotent.
 * @throws {@link LabError} LAB_SLIVER_STAGE; the errors of fetching a template, of fetching and unpacking data, and of making its disk.
 */
export async function deploy(
  parts: SliverParts,
  target: SliverTarget,
  signal: AbortSignal,
): Promise<void> {
  const { records } = parts
  const { id } = target
  const record = requireRecord(parts, id, 'allocated')
  const { ids: plan, sharesTemplates, limitsDisk } = requirePlatform(parts, id)
  if (record.stage !== 'allocated') return
  const ids = mapIds(plan, record.nr)
  const folder = records.folder(id)
  const disk = { sliver: id, sizeMiB: record.limits.disk, keptMiB: promisedDiskMiB(parts, id) }
  const root = { ids, from: sharesTemplates ? 'share' : 'copy', signal } as const
  const keptMiB = (): number => promisedDiskMiB(parts)
  const make = (archive: string | null): Promise<void> =>
    withTemplate(parts, target.template, {
      keptMiB,
      signal,
      async task(template) {
        const sizeMiB = record.limits.disk
        const fill =
          archive === null ? null : fillFrom(archive, { template, ids, sizeMiB, keptMiB, signal })
        const [key] = await Promise.all([
          makeHostKey(),
          makeRoot(folder, template, { ...root, disk: limitsDisk ? disk : null, fill }),
        ])
        await writeHostKey(folder, key, ids)
        await writeAuthorizedKeys(folder, target.ssh_authorized_keys, ids)
        await records.save({
          ...record,
          stage: 'deployed',
          templateSha256: target.template?.image_sha256 ?? null,
          sshAuthorizedKeys: target.ssh_authorized_keys,
          sshHostKey: key.publicKey,
        })
      },
    })
  await withData(parts, target.data ?? null, { signal, task: make })
}

/** Write the authorized SSH keys of a sliver, also while it runs. Idempotent. */
export async function authorize(
  parts: SliverParts,
  id: string,
  keys: readonly string[],
): Promise<void> {
  const { records } = parts
  const record = requireRecord(parts, id, 'allocated')
  if (record.stage !== 'allocated') {
    const ids = mapIds(requirePlatform(parts, id).ids, record.nr)
    await writeAuthorizedKeys(records.folder(id), keys, ids)
  }
  await records.save({ ...record, sshAuthorizedKeys: [...keys] })
}

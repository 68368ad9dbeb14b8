import { sql } from 'kysely'
import {
  brokenAfterNodes,
  isFailed,
  LabError,
  templateName,
  type SliverReport,
  type Template,
  type TemplateVersion,
} from '@community-lab/contract'
import type { Change } from '../change.ts'

/** A sliver of a version of a template, as its node has reported it. */
export interface TriedVersion {
  readonly nodeId: number
  /** null: the slice has no template, or it had no image. */
  readonly templateId: number | null
  readonly version: number | null
  readonly report: SliverReport
}

/** The code of an image that a node could not unpack. A damaged download has another one: it is tried again. */
const brokenCode = 'LAB_TEMPLATE_BROKEN'

/** Note whether a node could unpack an image: a sliver that has started shows that the image works, whatever others say. */
export async function noteImage(
  change: Change,
  { nodeId, templateId, version, report }: TriedVersion,
): Promise<void> {
  if (templateId === null || version === null) return
  const of = { template_id: templateId, version }
  if (report.state === 'started') {
    const first = await change.tx
      .updateTable('template_versions')
      .set({ has_run: true })
      .where('template_id', '=', templateId)
      .where('version', '=', version)
      .where('has_run', '=', false)
      .returning('version')
      .executeTakeFirst()
    if (first !== undefined) change.note('template', 'updated', templateId)
    return
  }
  const error = isFailed(report.state)
    ? report.errors.find(({ code }) => code === brokenCode)
    : undefined
  if (error === undefined) return
  const message = error.message.slice(0, mostMessage)
  await change.tx
    .insertInto('broken_images')
    .values({ ...of, node_id: nodeId, message })
    .onConflict((conflict) =>
      conflict
        .columns(['template_id', 'version', 'node_id'])
        .doUpdateSet({ message, reported_on: sql`now()` }),
    )
    .execute()
  change.note('template', 'updated', templateId)
}

/** The longest message of a node that is kept, in characters. */
const mostMessage = 500

/** Forget which nodes could not unpack an image. Whoever uploads it again vouches for it. */
export async function forgetBroken(
  { tx }: Change,
  { id, version }: { readonly id: number; readonly version: number },
): Promise<'changed' | 'unchanged'> {
  const { numDeletedRows: count } = await tx
    .deleteFrom('broken_images')
    .where('template_id', '=', id)
    .where('version', '=', version)
    .executeTakeFirstOrThrow()
  return count > 0n ? 'changed' : 'unchanged'
}

/**
 * Require that a version may be sent to nodes that do not have it.
 *
 * @throws {@link LabError} LAB_TEMPLATE_UNUSABLE.
 */
export function requireUnpackable(
  { name }: Pick<Template, 'name'>,
  { version, broken = null }: TemplateVersion,
): void {
  if (broken === null || broken.nodes < brokenAfterNodes) return
  const { nodes, message: reason } = broken
  throw new LabError('LAB_TEMPLATE_UNUSABLE', {
    template: templateName(name, version),
    nodes,
    reason,
  })
}

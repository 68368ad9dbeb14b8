import type { SliverTarget } from '@community-lab/contract'
import { templateOf } from '../store/record.ts'
import type { SliverParts } from './parts.ts'

/** Options of {@link withTemplate}. */
export interface TemplateUse {
  /** The disk space that fetching must leave free because it is promised to others, in MiB. */
  readonly keptMiB: () => number
  readonly signal: AbortSignal
}

/**
 * Run a task with the root file system of a sliver's template, which stays until the task has ended. It is fetched if it is not here. Templates that no sliver
 * uses are removed before, because it may need their space, and after.
 * @throws {@link LabError} the errors of fetching a template.
 */
export async function withTemplate(
  { records, templates }: SliverParts,
  template: SliverTarget['template'],
  { keptMiB, signal, task }: TemplateUse & { readonly task: (root: string) => Promise<void> },
): Promise<void> {
  // A sliver whose record cannot be read may use any template.
  const isUsed = (sha256: string): boolean =>
    records.unreadable.size > 0 || records.all().some((one) => templateOf(one) === sha256)
  if (!(await templates.has(template))) await templates.prune(isUsed)
  {
    using held = await templates.hold(template, { keptMiB, signal })
    await task(held.root)
  }
  await templates.prune(isUsed)
}

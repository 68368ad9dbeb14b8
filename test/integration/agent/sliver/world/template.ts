import { chmod, copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SliverTarget } from '@community-lab/contract'
import { defaultInterfaces } from '@community-lab/contract'
import { aSliverTarget, aTemplate } from '../../../../unit/agent/plan/situation.ts'
import { buildTinyTemplate } from '../../../../../server/cli/setup/tiny-template.mjs'

/** The template of tests, with its image as a file. */
export interface TestTemplate {
  readonly image: string
  readonly sha256: string
}

/** Build the template tiny in a folder that the agent can read. */
export async function buildTemplate(dir: string): Promise<TestTemplate> {
  const { image, sha256 } = await buildTinyTemplate(dir)
  await chmod(image, 0o644)
  return { image, sha256 }
}

/** A copy of an image of which one byte is another. */
export async function corrupt(template: TestTemplate, dir: string): Promise<TestTemplate> {
  const image = join(dir, 'corrupt.tar.gz')
  await copyFile(template.image, image)
  await writeFile(image, 'x', { flag: 'r+' })
  await chmod(image, 0o644)
  return { image, sha256: template.sha256 }
}

/** What is wanted of the sliver of a slice on the test's node, 3. */
export function wanted(
  sliceId: number,
  { image, sha256 }: TestTemplate,
  more: Partial<SliverTarget> = {},
): SliverTarget {
  return aSliverTarget({
    id: `${sliceId}@3`,
    slice_id: sliceId,
    slice_name: `slice${sliceId}`,
    template: { ...aTemplate, image_uri: image, image_sha256: sha256 },
    interfaces: [...defaultInterfaces],
    ssh_authorized_keys: [],
    ...more,
  })
}

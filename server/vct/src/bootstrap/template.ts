import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { machine } from 'node:os'
import process from 'node:process'
import { archOf, LabError, path, routes, Template } from '@community-lab/contract'
import Type from 'typebox'
import type { ServerClient } from './server-client.ts'

/** The name of the virtual testbed's template. */
const tiny = 'tiny'
/** The number of versions that are kept besides those that slices use. */
const versionsKept = 10

/** Make sure that the server has the template with this image as one of its versions. @throws {@link LabError} LAB_VCT_NO_TEMPLATE. */
export async function ensureTemplate(
  operator: ServerClient,
  file: string,
  signal: AbortSignal,
): Promise<'uploaded' | 'unchanged'> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new LabError('LAB_VCT_NO_TEMPLATE', { file }, { cause })
  })
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const templates = await operator.ask(Type.Array(Template), routes.templates, { signal })
  const found = templates.find(({ name }) => name === tiny)
  const isThere = found?.versions?.some(({ image_sha256: known }) => known === sha256) ?? false
  if (isThere) return 'unchanged'
  const template =
    found ??
    (await operator.ask(Template, routes.templates, {
      method: 'POST',
      body: {
        name: tiny,
        description:
          "busybox, dropbear, perl, ping, fping, iperf3 and traceroute of Debian's packages",
        type: 'debian',
        node_archs: [archOf(process.arch, machine())],
        is_active: true,
      },
      signal,
    }))
  const { versions = [] } = await operator.ask(
    Template,
    path(routes.templateUploadImage, { id: template.id }),
    {
      method: 'PUT',
      file: { bytes, type: 'application/gzip' },
      headers: { 'x-sha256': sha256 },
      signal,
    },
  )
  // Without this, the testbed of a checkout that often changes would keep each build.
  for (const { uri } of versions.slice(versionsKept))
    // One that a slice uses is refused, and stays.
    await operator.answer(uri, { method: 'DELETE', signal })
  return 'uploaded'
}

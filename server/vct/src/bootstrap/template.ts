import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { machine } from 'node:os'
import process from 'node:process'
import { archOf, LabError, path, routes, Template } from '@community-lab/contract'
import Type from 'typebox'
import type { ServerClient } from './server-client.ts'

/** The name of the virtual testbed's template. */
const templateName = 'tiny'

/** Make sure that the server has the template with exactly this image. @throws {@link LabError} LAB_VCT_NO_TEMPLATE. */
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
  const found = templates.find(({ name }) => name === templateName)
  if (found?.image_sha256 === sha256) return 'unchanged'
  const template =
    found ??
    (await operator.ask(Template, routes.templates, {
      method: 'POST',
      body: {
        name: templateName,
        description: "busybox, dropbear, ping, fping and iperf3 of Debian's packages",
        type: 'debian',
        node_archs: [archOf(process.arch, machine())],
        is_active: true,
      },
      signal,
    }))
  await operator.ask(Template, path(routes.templateUploadImage, { id: template.id }), {
    method: 'PUT',
    file: { bytes, type: 'application/gzip' },
    headers: { 'x-sha256': sha256 },
    signal,
  })
  return 'uploaded'
}

import { LabError, type Template, type TemplateVersion } from '@community-lab/contract'

/** A template and the version that a slice has. */
export interface KeptTemplate {
  readonly id: number
  /** null: the template had no image. */
  readonly version: number | null
}

/** What is asked of a template. */
export interface VersionRequest {
  /** The version that the request names; null: none. */
  readonly version: number | null
  /** The template that the slice has already; null: none. */
  readonly kept: KeptTemplate | null
}

/**
 * Choose the version of a template for a slice: the one that it names, else the one that it has, else the newest public one, else the newest.
 *
 * @throws {@link LabError} LAB_TEMPLATE_NO_IMAGE, LAB_TEMPLATE_NO_VERSION.
 */
export function chooseVersion(
  template: Template,
  { version, kept }: VersionRequest,
): TemplateVersion {
  const { name, versions = [] } = template
  if (versions.length === 0) throw new LabError('LAB_TEMPLATE_NO_IMAGE', { template: name })
  const keptVersion = kept?.id === template.id ? kept.version : null
  const number = version ?? keptVersion ?? defaultVersion(versions)?.version
  const found = versions.find((each) => each.version === number)
  if (found !== undefined) return found
  throw new LabError('LAB_TEMPLATE_NO_VERSION', {
    template: name,
    version: number ?? 0,
    known: versions.map((each) => each.version),
  })
}

/** Return the version of a template that a slice gets which names none; undefined: it has no image. `versions` are newest first. */
export function defaultVersion(versions: readonly TemplateVersion[]): TemplateVersion | undefined {
  return versions.find((each) => each.is_public) ?? versions[0]
}

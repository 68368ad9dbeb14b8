import Type, { type Static } from 'typebox'
import { nameMaxLength, namePattern } from '../name.ts'
import { Description, Id, Name, nullable, Ref, Sha256, Time } from './common.ts'
import { Arch } from './node.ts'

/** So many nodes have to report that they cannot unpack an image, until no other node tries it: one of them may have a fault of its own. */
export const brokenAfterNodes = 2

/**
 * One image of a template. It never changes. It cannot be removed while a slice uses it. `broken` says how many nodes could not unpack it (of a public version:
 * nodes of how many groups), and what one of them said; null: none, or slivers of it have run.
 */
export const TemplateVersion = Type.Object(
  {
    uri: Type.String(),
    version: Type.Integer({
      description: 'counts from 1; the number of a removed version is not given again',
    }),
    image_uri: Type.String(),
    image_sha256: Sha256,
    image_size_bytes: Type.Integer(),
    is_public: Type.Boolean({ description: 'slices of all groups may use it' }),
    created_on: Time,
    broken: Type.Optional(nullable(Type.Object({ nodes: Type.Integer(), message: Type.String() }))),
  },
  { $id: 'TemplateVersion' },
)
export type TemplateVersion = Static<typeof TemplateVersion>

/** Change a version. Only operators make it public, or for its group only. */
export const TemplateVersionPatch = Type.Object(
  { is_public: Type.Boolean() },
  { additionalProperties: false },
)
export type TemplateVersionPatch = Static<typeof TemplateVersionPatch>

/** The number of a template's version in a request. */
export const TemplateVersionNumber = Id

/**
 * A root file system for slivers. Each uploaded image (a `.tar.gz`, which agents check by SHA-256 and share among slivers) makes a new version of it; a slice keeps
 * the version that it was made with. Everybody sees all versions. Slices of other groups may use a version, and others than members of its group may
 * download it, only if it is public.
 *
 * `version` and the `image_…` members are those of the version that a slice gets which names none: the newest public one, or the newest while none is public.
 */
export const Template = Type.Object(
  {
    uri: Type.String(),
    id: Type.Integer(),
    name: Name,
    description: Description,
    type: Type.Enum(['debian', 'openwrt'] as const),
    node_archs: Type.Array(Arch),
    is_active: Type.Boolean(),
    group: Type.Union([Ref, Type.Null()], {
      description: 'the group that looks after it; null: the operators',
    }),
    is_public: Type.Boolean({ description: 'slices of all groups may use its public versions' }),
    version: Type.Optional(nullable(Type.Integer({ description: 'null: it has no image yet' }))),
    image_uri: nullable(Type.String()),
    image_sha256: nullable(Sha256),
    image_size_bytes: nullable(Type.Integer()),
    versions: Type.Optional(Type.Array(TemplateVersion, { description: 'newest first' })),
  },
  { $id: 'Template' },
)
export type Template = Static<typeof Template>

/**
 * Create a template of a group; its image is uploaded afterwards. `group` may be omitted by who makes templates for one group only. Operators omit it for a template
 * of their own, which is public unless `is_public` says otherwise. Only operators make templates public.
 */
export const TemplateCreate = Type.Object(
  {
    name: Name,
    description: Type.Optional(Description),
    type: Type.Optional(Type.Enum(['debian', 'openwrt'] as const)),
    node_archs: Type.Array(Arch, { minItems: 1, maxItems: 16 }),
    is_active: Type.Optional(Type.Boolean()),
    group: Type.Optional(Type.Object({ id: Id })),
    is_public: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)
export type TemplateCreate = Static<typeof TemplateCreate>

/**
 * Change a template. Only operators change `is_public`. True makes one version public: the one that `version` names, or else the newest of the template that
 * `If-Match` names. False makes all versions private. A template without versions keeps `is_public` for its first one.
 */
export const TemplatePatch = Type.Object(
  {
    description: Type.Optional(Description),
    is_active: Type.Optional(Type.Boolean()),
    is_public: Type.Optional(Type.Boolean()),
    version: Type.Optional(
      nullable(
        Type.Integer({
          minimum: 1,
          maximum: 999_999_999,
          description: 'the version that is_public: true makes public; null: it has none yet',
        }),
      ),
    ),
    node_archs: Type.Optional(Type.Array(Arch, { minItems: 1, maxItems: 16 })),
  },
  { additionalProperties: false },
)
export type TemplatePatch = Static<typeof TemplatePatch>

/** How a slice names a template: by its name alone, or with a version, `tiny@2`. */
export const TemplateName = Type.String({
  pattern: namePattern.replace(/\$$/u, '(@[1-9][0-9]{0,8})?$'),
  minLength: 1,
  maxLength: nameMaxLength + 10,
  description: 'a name, or a name and a version such as tiny@2',
})

/** Read a {@link TemplateName}. `version` is null when it has none. */
export function parseTemplateName(text: string): {
  readonly name: string
  readonly version: number | null
} {
  const [, name = text, version] = /^(.*)@(\d+)$/u.exec(text) ?? []
  return { name, version: version === undefined ? null : Number(version) }
}

/** Write a {@link TemplateName}. Without a version it is the name. */
export function templateName(name: string, version: number | null): string {
  return version === null ? name : `${name}@${version}`
}

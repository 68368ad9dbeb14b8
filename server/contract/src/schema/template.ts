import Type, { type Static } from 'typebox'
import { Description, Id, Name, nullable, Ref, Sha256 } from './common.ts'
import { Arch } from './node.ts'

/**
 * A root file system for slivers: a `.tar.gz` that agents download, check by SHA-256 and share among slivers. Everybody sees it. Slices of other groups may use
 * it, and others than members of its group may download it, only if it is public.
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
    is_public: Type.Boolean({ description: 'slices of all groups may use it' }),
    image_uri: nullable(Type.String()),
    image_sha256: nullable(Sha256),
    image_size_bytes: nullable(Type.Integer()),
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

/** Change a template. Only operators change `is_public`. */
export const TemplatePatch = Type.Object(
  {
    description: Type.Optional(Description),
    is_active: Type.Optional(Type.Boolean()),
    is_public: Type.Optional(Type.Boolean()),
    node_archs: Type.Optional(Type.Array(Arch, { minItems: 1, maxItems: 16 })),
  },
  { additionalProperties: false },
)
export type TemplatePatch = Static<typeof TemplatePatch>

import Type, { type Static } from 'typebox'
import { Description, Name, nullable, Sha256 } from './common.ts'
import { Arch } from './node.ts'

/** A root file system for slivers: a `.tar.gz` that agents download, check by SHA-256 and share among slivers. */
export const Template = Type.Object(
  {
    uri: Type.String(),
    id: Type.Integer(),
    name: Name,
    description: Description,
    type: Type.Enum(['debian', 'openwrt'] as const),
    node_archs: Type.Array(Arch),
    is_active: Type.Boolean(),
    image_uri: nullable(Type.String()),
    image_sha256: nullable(Sha256),
    image_size_bytes: nullable(Type.Integer()),
  },
  { $id: 'Template' },
)
export type Template = Static<typeof Template>

/** Create a template (operators). Its image is uploaded afterwards. */
export const TemplateCreate = Type.Object(
  {
    name: Name,
    description: Type.Optional(Description),
    type: Type.Optional(Type.Enum(['debian', 'openwrt'] as const)),
    node_archs: Type.Array(Arch, { minItems: 1, maxItems: 16 }),
    is_active: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)
export type TemplateCreate = Static<typeof TemplateCreate>

/** Change a template (operators). */
export const TemplatePatch = Type.Object(
  {
    description: Type.Optional(Description),
    is_active: Type.Optional(Type.Boolean()),
    node_archs: Type.Optional(Type.Array(Arch, { minItems: 1, maxItems: 16 })),
  },
  { additionalProperties: false },
)
export type TemplatePatch = Static<typeof TemplatePatch>

import Type, { type Static } from 'typebox'
import { SliceSetState } from '../state.ts'
import {
  Description,
  Id,
  Name,
  nullable,
  Properties,
  Ref,
  ResourceRequest,
  Sha256,
  SliverRef,
  Time,
} from './common.ts'
import { dataInput, dataMembers } from './data.ts'
import { Sliver } from './sliver.ts'
import { TemplateName, TemplateVersionNumber } from './template.ts'

/** The configuration of slivers that have none of their own. */
export const SliverDefaults = Type.Object({
  instance_sn: Type.Integer(),
  template: nullable(Ref),
  template_version: Type.Optional(
    nullable(Type.Integer({ description: 'null: the template had no image when it was chosen' })),
  ),
  template_sha256: Type.Optional(
    nullable({ ...Sha256, description: 'the SHA-256 of the image of that version' }),
  ),
  set_state: SliceSetState,
  ...dataMembers,
  resources: Type.Array(ResourceRequest),
})

/** An experiment, owned by a group. */
export const Slice = Type.Object(
  {
    uri: Type.String(),
    id: Type.Integer(),
    name: Name,
    description: Description,
    group: Ref,
    expires_on: Time,
    end_warning: Type.Optional(
      nullable(
        Type.Object(
          { days: Type.Integer(), since: Time },
          { description: 'it ends within so many days (4, then 1) unless it is renewed' },
        ),
      ),
    ),
    instance_sn: Type.Integer(),
    properties: Properties,
    set_state: SliceSetState,
    sliver_defaults: SliverDefaults,
    slivers: Type.Array(SliverRef),
  },
  { $id: 'Slice' },
)
export type Slice = Static<typeof Slice>

/** Create an empty slice of a group, in the state `register`. `group` may be omitted by a user who creates slices for one group only. */
export const SliceCreate = Type.Object(
  {
    name: Name,
    group: Type.Optional(Type.Object({ id: Id })),
    description: Type.Optional(Description),
    properties: Type.Optional(Properties),
    sliver_defaults: Type.Optional(
      Type.Object(
        {
          template: Type.Optional(nullable(Type.Object({ id: Id }))),
          template_version: Type.Optional(nullable(TemplateVersionNumber)),
          set_state: Type.Optional(SliceSetState),
          ...dataInput,
          resources: Type.Optional(Type.Array(ResourceRequest, { maxItems: 16 })),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)
export type SliceCreate = Static<typeof SliceCreate>

/** Change a slice. */
export const SlicePatch = Type.Object(
  {
    description: Type.Optional(Description),
    properties: Type.Optional(Properties),
    set_state: Type.Optional(SliceSetState),
    sliver_defaults: Type.Optional(
      Type.Object(
        { set_state: Type.Optional(SliceSetState), ...dataInput },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)
export type SlicePatch = Static<typeof SlicePatch>

/**
 * A whole slice by name, as `slices.ensure` sends it. The server checks the whole description. It either refuses it, with the constraint and the nearest change
 * that would be accepted, or carries it out in one transaction. Sending it again changes nothing.
 *
 * `template` is a name, or a name and a version (`tiny@2`). Without a version, a slice that has this template keeps its version; another gets the newest public
 * one, or the newest while none is public.
 *
 * `nodes` has names. A description that would remove slivers, or recreate them with another template, other resources or other data, is refused with LAB_SLICE_WOULD_LOSE
 * unless `may_lose` is `slivers`. Without it, a sliver stays on a node that is not listed and not in production, because the user could not list that node.
 *
 * `data_sha256` is that of a data archive that the group has uploaded. Null: the slivers have none; omitted: as before.
 *
 * `group` is the name of the group that a new slice belongs to; a user who creates slices for one group only may omit it. A slice stays with its group.
 */
export const SliceSpec = Type.Object(
  {
    name: Name,
    group: Type.Optional(Name),
    description: Type.Optional(Description),
    template: TemplateName,
    nodes: Type.Array(Name, { minItems: 1, maxItems: 10_000, uniqueItems: true }),
    set_state: Type.Optional(SliceSetState),
    resources: Type.Optional(Type.Array(ResourceRequest, { maxItems: 16 })),
    data_sha256: Type.Optional(nullable(Sha256)),
    may_lose: Type.Optional(
      Type.Enum(['nothing', 'slivers'] as const, {
        description: 'what may be lost to make the slice so; default nothing',
      }),
    ),
  },
  { $id: 'SliceSpec', additionalProperties: false },
)
export type SliceSpec = Static<typeof SliceSpec>

/** A slice with all its slivers, as `ensure` answers. */
export const SliceWithSlivers = Type.Object({
  slice: Slice,
  slivers: Type.Array(Sliver),
  warnings: Type.Optional(
    Type.Array(Type.String(), { description: 'what was done all the same, and may fail' }),
  ),
})
export type SliceWithSlivers = Static<typeof SliceWithSlivers>

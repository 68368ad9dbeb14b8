import Type, { type Static } from 'typebox'
import { nullable, Time } from './common.ts'
import { Node } from './node.ts'
import { Group, GroupRequest, User } from './party.ts'
import { Host, Island, Server } from './place.ts'
import { Run } from './run.ts'
import { Slice } from './slice.ts'
import { Sliver } from './sliver.ts'
import { Template } from './template.ts'

/**
 * The kinds of changes. `incident`: something that an operator should look at, such as a node that announces the subnet of another one. Events of a `user` are for readers with
 * a user's token, those of a `request` for its user, for admins of its group and for operators, and those of a `run` for members of its group and for operators.
 */
export const EventKind = Type.Enum([
  'node',
  'slice',
  'sliver',
  'run',
  'template',
  'server',
  'island',
  'host',
  'group',
  'user',
  'request',
  'incident',
] as const)
export type EventKind = Static<typeof EventKind>

/** Something that an operator should look at. */
export const Incident = Type.Object({
  code: Type.Enum(['unauthorized_subnet', 'unknown_host', 'group_without_admin'] as const),
  node: nullable(Type.String()),
  message: Type.String(),
})
export type Incident = Static<typeof Incident>

/**
 * A change, as `/api/events/` sends it. `id` increases with each change in the order of commits, so a reader that sends its last id misses none. `object` is
 * the object after the change; null when it was deleted. A reader gets those events whose objects the reader may read, as the lists show them: numbers may be missing
 * between two ids. Users come without SSH keys and e-mail addresses.
 */
export const ChangeEvent = Type.Object(
  {
    id: Type.Integer(),
    time: Time,
    kind: EventKind,
    action: Type.Enum(['created', 'updated', 'deleted'] as const),
    object_id: Type.String(),
    object: nullable(
      Type.Union([
        Node,
        Slice,
        Sliver,
        Run,
        Template,
        Server,
        Island,
        Host,
        Group,
        User,
        GroupRequest,
        Incident,
      ]),
    ),
  },
  { $id: 'ChangeEvent' },
)
export type ChangeEvent = Static<typeof ChangeEvent>

import Type, { type Static } from 'typebox'

/** The kinds of notifications by e-mail. */
export const notificationKinds = [
  'slice_end',
  'node_offline',
  'node_safe',
  'request_waiting',
  'image_broken',
] as const
export type NotificationKind = (typeof notificationKinds)[number]

/** Which notifications a user gets, if they have an e-mail address. */
export const NotificationChoice = Type.Object(
  {
    slice_end: Type.Boolean({ description: 'a slice that the user may renew ends soon' }),
    node_offline: Type.Boolean({
      description: 'a node that the user looks after is offline for 5 days',
    }),
    node_safe: Type.Boolean({
      description: 'a node that the user looks after is in safe for 3 days',
    }),
    request_waiting: Type.Boolean({ description: 'a request waits for the user’s answer' }),
    image_broken: Type.Boolean({
      description: 'nodes cannot unpack an image of a template that the user looks after',
    }),
  },
  { description: 'what the user is told by e-mail, once a day at most' },
)
export type NotificationChoice = Static<typeof NotificationChoice>

/** Changes of them. */
export const NotificationChoicePatch = Type.Partial(NotificationChoice, {
  additionalProperties: false,
})
export type NotificationChoicePatch = Static<typeof NotificationChoicePatch>

import Type, { type Static } from 'typebox'
import { maxSliversPerNode } from '../address.ts'
import { nullable } from './common.ts'
import { InterfaceType } from './sliver.ts'

const day = '(mon|tue|wed|thu|fri|sat|sun)'
const time = '([01][0-9]|2[0-3]):[0-5][0-9]'

const spans = `(${day}(-${day})?(,${day}(-${day})?)* )?${time}-(${time}|24:00)$`
const hoursRule =
  'days and hours in the time of the node: 22:00-06:00, or mon-fri,sun 18:00-24:00. Hours that end before they begin end on the next day'

/** Hours of some days of the week, or of each day, such as `22:00-06:00` or `mon-fri,sun 18:00-24:00`, in the local time of the node. */
export const LentHours = Type.String({
  pattern: `^${spans}`,
  maxLength: 64,
  description: hoursRule,
})

/** The pattern of hours that an owner sets: their ends differ. Whoever writes equal ends could mean never or always. */
export const newLentHoursPattern = String.raw`^(?!.*(\d\d:\d\d)-\1$)${spans}`

/** The rule of this pattern in words, for errors. */
export const newLentHoursRule =
  'days and hours that end at another time than they begin, such as mon-fri 22:00-06:00 (00:00-24:00 for all day; to lend nothing, lend 0 slivers)'

/** Hours as an owner sets them. Hours with equal ends that were set before stay, and last 24 hours. */
export const NewLentHours = Type.String({
  pattern: newLentHoursPattern,
  maxLength: 64,
  description: `${hoursRule}. The ends differ: 00:00-24:00 is all day`,
})

const lends = {
  slivers: nullable(Type.Integer({ minimum: 0, maximum: maxSliversPerNode })),
  memory_mib: nullable(Type.Integer({ minimum: 0, maximum: 1_000_000_000 })),
  disk_mib: nullable(Type.Integer({ minimum: 0, maximum: 1_000_000_000 })),
  processes: nullable(Type.Integer({ minimum: 0, maximum: 1_000_000_000 })),
  cpu_pct: nullable(
    Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'percent of one core' }),
  ),
  rate_mbps: nullable(
    Type.Number({
      minimum: 1,
      maximum: 100_000,
      description: '10^6 bits per second and direction',
    }),
  ),
  interfaces: nullable(
    Type.Array(InterfaceType, {
      maxItems: 16,
      uniqueItems: true,
      description: 'the kinds besides `management`, which every sliver has',
    }),
  ),
  hours: nullable(Type.Array(LentHours, { maxItems: 28, uniqueItems: true })),
}

/** What a node lends to all slivers together. Null: the owner sets no limit, and the node lends what it has. */
export const Lends = Type.Object(lends)
export type Lends = Static<typeof Lends>

/** A change of what a node lends. Members that are absent stay as they are. */
export const LendsPatch = Type.Object(
  {
    slivers: Type.Optional(lends.slivers),
    memory_mib: Type.Optional(lends.memory_mib),
    disk_mib: Type.Optional(lends.disk_mib),
    processes: Type.Optional(lends.processes),
    cpu_pct: Type.Optional(lends.cpu_pct),
    rate_mbps: Type.Optional(lends.rate_mbps),
    interfaces: Type.Optional(lends.interfaces),
    hours: Type.Optional(nullable(Type.Array(NewLentHours, { maxItems: 28, uniqueItems: true }))),
  },
  { additionalProperties: false },
)
export type LendsPatch = Static<typeof LendsPatch>

/** What a node says about its lending. Of its own settings and what the registry has for it, the smaller one holds. */
export const NodeLending = Type.Object({
  device: Type.Object(Lends.properties, {
    description: 'what the device offers by its own settings, which the registry cannot exceed',
  }),
  time_zone: Type.String({ maxLength: 64, description: 'the zone of its hours' }),
  is_open: Type.Boolean({ description: 'whether slivers may run now' }),
  opens: nullable(
    Type.String({ maxLength: 16, description: 'when it is lent again, such as "mon 22:00"' }),
  ),
})
export type NodeLending = Static<typeof NodeLending>

import Type, { type Static } from 'typebox'

/** What the slices of a group may take of the testbed, all together. Memory and disk are the sums of what their slivers have requested. */
export const quotaNames = ['slices', 'slivers', 'memory_mib', 'disk_mib'] as const
export type QuotaName = (typeof quotaNames)[number]

/** The unit of each quota, as refusals and tables show it; of counted things it is their name. */
export const quotaUnits: Readonly<Record<QuotaName, string>> = {
  slices: 'slices',
  slivers: 'slivers',
  memory_mib: 'MiB of memory',
  disk_mib: 'MiB of disk',
}

/** The quotas of a group until operators set others: a thousand slivers with twice the memory and disk that a sliver has by default. */
export const quotaDefaults: Readonly<Record<QuotaName, number>> = {
  slices: 50,
  slivers: 1_000,
  memory_mib: 131_072,
  disk_mib: 262_144,
}

const amount = (description: string) =>
  Type.Integer({ minimum: 0, maximum: 1_000_000_000_000, description })

const amounts = {
  slices: amount('the number of slices'),
  slivers: amount('the number of slivers of all slices'),
  memory_mib: amount('the memory of all slivers, in MiB'),
  disk_mib: amount('the disk space of all slivers, in MiB'),
}

/** An amount of each thing that has a quota: the most that a group may have, or what it has. */
export const Quotas = Type.Object(amounts)
export type Quotas = Static<typeof Quotas>

/** New quotas. Those that are absent stay as they are; null sets the testbed's default again. */
export const QuotasPatch = Type.Object(
  {
    slices: Type.Optional(Type.Union([amounts.slices, Type.Null()])),
    slivers: Type.Optional(Type.Union([amounts.slivers, Type.Null()])),
    memory_mib: Type.Optional(Type.Union([amounts.memory_mib, Type.Null()])),
    disk_mib: Type.Optional(Type.Union([amounts.disk_mib, Type.Null()])),
  },
  { additionalProperties: false },
)
export type QuotasPatch = Static<typeof QuotasPatch>

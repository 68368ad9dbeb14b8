import {
  isLentAt,
  LabError,
  leastAmounts,
  lendsAll,
  resourceMembers,
  nextLent,
  weekTimeIn,
  type Lends,
  type LentAmounts,
  type MemberError,
  type NodeLending,
  type NodeReport,
} from '@community-lab/contract'
import type { Notice, NodeWanted } from './wanted.ts'

/** What the node lends now: of its own settings and of what the registry has for it, the smaller one. */
export interface Lending {
  /** The limits that hold now. */
  readonly amounts: LentAmounts
  /** Use other limits of the registry from now on. */
  use(registry: Lends): void
  /** Look at the clock again. Returns whether the hours at which the node is lent have begun or ended since the last look. */
  refresh(): boolean
  /** Return a target as far as it can be reached with what is lent now. What it leaves out is in its notices. */
  limitTarget(target: NodeWanted): NodeWanted
  /** Return what the node reports of its lending. `offered` is what the device offers by its own settings. */
  describe(offered: readonly NodeReport['resources'][number][]): NodeLending
}

/** Options of {@link createLending}. */
export interface LendingOptions {
  /** The limits of the device's own settings. */
  readonly device: Lends
  /** The time zone of all hours, such as `Europe/Madrid`. */
  readonly timeZone: string
  readonly now: () => Date
}

/** Create the lending of a node. Until the registry's limits are known, only those of the device hold. */
export function createLending({ device, timeZone, now }: LendingOptions): Lending {
  let registry = lendsAll
  let isOpen = isOpenNow()

  function isOpenNow(): boolean {
    return isLentAt([device.hours, registry.hours], weekTimeIn(timeZone, now()))
  }

  function opens(): string | null {
    if (isOpen) return null
    return nextLent([device.hours, registry.hours], weekTimeIn(timeZone, now()))
  }

  /** Leave out the interfaces of kinds that are not lent. Every sliver has its management interface. */
  function limitInterfaces(target: NodeWanted['slivers'][number]): {
    readonly interfaces: NodeWanted['slivers'][number]['interfaces']
    readonly notices: readonly Notice[]
  } {
    const { interfaces: kinds } = leastAmounts(device, registry)
    const isLent = ({ type }: { readonly type: string }): boolean =>
      kinds === null || type === 'management' || kinds.some((kind) => kind === type)
    const missing = target.interfaces.filter((one) => !isLent(one))
    return {
      interfaces: target.interfaces.filter(isLent),
      notices: missing.map(({ type }) =>
        noticeOf(target.id, {
          member: '/interfaces',
          message: new LabError('LAB_SLIVER_INTERFACE_NOT_LENT', { sliver: target.id, type })
            .message,
        }),
      ),
    }
  }

  return {
    get amounts() {
      return leastAmounts(device, registry)
    },
    use(next) {
      registry = next
      isOpen = isOpenNow()
    },
    refresh() {
      const before = isOpen
      isOpen = isOpenNow()
      return isOpen !== before
    },
    limitTarget(target) {
      const limited = target.slivers.map((sliver) => {
        const { interfaces, notices } = limitInterfaces(sliver)
        const isClosed = !isOpen && sliver.set_state === 'start'
        const wanted = isClosed ? ({ set_state: 'deploy' } as const) : {}
        const closed = isClosed ? [noticeOf(sliver.id, closedError(sliver.id))] : []
        return { sliver: { ...sliver, interfaces, ...wanted }, notices: [...notices, ...closed] }
      })
      return {
        ...target,
        slivers: limited.map(({ sliver }) => sliver),
        notices: [...target.notices, ...limited.flatMap(({ notices }) => notices)],
      }
    },
    describe: (offered) => ({
      device: {
        ...device,
        ...Object.fromEntries(
          offered.map(({ name, total }) => [resourceMembers[name], total] as const),
        ),
      },
      time_zone: timeZone,
      is_open: isOpen,
      opens: opens(),
    }),
  }

  function closedError(sliver: string): MemberError {
    const { message } = new LabError('LAB_SLIVER_NOT_LENT_NOW', {
      sliver,
      opens: opens(),
      timeZone,
    })
    return { member: '/set_state', message }
  }
}

function noticeOf(sliver: string, error: MemberError): Notice {
  return { sliver, error, effect: 'ignored' }
}

/** The output of iproute2 about the interfaces, routes and queues of this network namespace. */
export interface QueueState {
  /** `ip -o link show`: `3: eth0@if2: <BROADCAST,UP> mtu 1500 qdisc mq master br0 …` */
  readonly links: string
  /** `ip -o -6 route show table all type unicast` and `ip -o -4 route show default`: `default via fe80::2 dev eth0 …` */
  readonly routes: string
  /** `tc qdisc show`: `qdisc fq_codel 0: dev eth0 parent :1 …` */
  readonly queues: string
}

/**
 * The queues that send packets of a higher priority first, and `noqueue`, in which no packet waits. Wi-Fi has its queues in the driver, and `noqueue` too.
 * Source: tc-prio(8), tc-pfifo_fast(8).
 */
const byPriority: ReadonlySet<string> = new Set(['pfifo_fast', 'prio', 'noqueue'])
/** These contain one queue for each queue of the device, and do not define the order themselves. Source: Linux, sch_mq.c and sch_mqprio.c. */
const perDeviceQueue: ReadonlySet<string> = new Set(['mq', 'mqprio'])
/** The queue of an interface that is down. */
const downQueue = 'noop'

/**
 * Find the interfaces for slivers' packets whose queue ignores priorities, such as `fq_codel`, which shares by flow.
 *
 * @param isOwn - tells whether the agent has made the interface with this name.
 * @returns each interface once with its queue: `eth0 (fq_codel)`.
 */
export function findUnorderedQueues(
  { links, routes, queues }: QueueState,
  isOwn: (name: string) => boolean,
): readonly string[] {
  const uplinks = withLower(
    routedInterfaces(routes).filter((name) => !isOwn(name)),
    links,
  )
  const isOrdered = ({ kind }: Queue): boolean =>
    byPriority.has(kind) || perDeviceQueue.has(kind) || kind === downQueue
  const unordered = parseQueues(queues).filter(
    (queue) => uplinks.has(queue.name) && !queue.isInner && !isOrdered(queue),
  )
  return [...new Set(unordered.map(({ name, kind }) => `${name} (${kind})`))]
}

/** Return the interfaces that have routes. Routes for link-local addresses are ignored: each interface has one, and slivers cannot use it. */
function routedInterfaces(routes: string): readonly string[] {
  const lines = routes.split('\n').filter((line) => !line.startsWith('fe80::/64 '))
  return lines.flatMap((line) => [...line.matchAll(/ dev (\S+)/gu)].map(([, name = '']) => name))
}

/** Add the interfaces below bridges and VLANs. These have no queue: packets wait in the queues of the bridge's ports, or of the interface below the VLAN. */
function withLower(names: readonly string[], links: string): ReadonlySet<string> {
  const all = new Set(names)
  const pairs = [...links.matchAll(/^\d+: ([^@:\s]+)(?:@([^:\s]+))?: (.*)$/gmu)].flatMap(
    ([, name = '', lower = '', rest = '']) => {
      const master = / master (\S+)/u.exec(rest)?.[1]
      return [
        { upper: name, lower },
        ...(master === undefined ? [] : [{ upper: master, lower: name }]),
      ]
    },
  )
  // The iteration includes elements that are added to the set meanwhile.
  for (const upper of all)
    for (const pair of pairs) if (pair.upper === upper && pair.lower !== '') all.add(pair.lower)
  return all
}

interface Queue {
  readonly kind: string
  readonly name: string
  /** Whether the queue is inside another queue, which defines the order. */
  readonly isInner: boolean
}

function parseQueues(text: string): readonly Queue[] {
  const found = [...text.matchAll(/^qdisc (\S+) \S+ dev (\S+) (root|parent)/gmu)].map(
    ([, kind = '', name = '', place = '']) => ({ kind, name, isRoot: place === 'root' }),
  )
  const split = new Set(
    found.filter(({ kind, isRoot }) => isRoot && perDeviceQueue.has(kind)).map(({ name }) => name),
  )
  return found.map(({ kind, name, isRoot }) => ({
    kind,
    name,
    isInner: !isRoot && !split.has(name),
  }))
}

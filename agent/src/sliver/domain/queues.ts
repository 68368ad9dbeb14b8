/** What iproute2 tells of the interfaces, routes and queues of this network namespace. */
export interface QueueState {
  /** `ip -o link show`: `3: eth0@if2: <BROADCAST,UP> mtu 1500 qdisc mq master br0 …` */
  readonly links: string
  /** `ip -o -6 route show table all type unicast` and `ip -o -4 route show default`: `default via fe80::2 dev eth0 …` */
  readonly routes: string
  /** `tc qdisc show`: `qdisc fq_codel 0: dev eth0 parent :1 …` */
  readonly queues: string
}

/**
 * The queues that send packets of a higher priority first, and `noqueue`, where nothing waits. Those of Wi-Fi are in the driver, which has `noqueue` too.
 * Source: tc-prio(8), tc-pfifo_fast(8).
 */
const byPriority: ReadonlySet<string> = new Set(['pfifo_fast', 'prio', 'noqueue'])
/** These have a queue of their own for each queue of the device, and say nothing about order. Source: Linux, sch_mq.c and sch_mqprio.c. */
const perDeviceQueue: ReadonlySet<string> = new Set(['mq', 'mqprio'])
/** The queue of an interface that is down. */
const downQueue = 'noop'

/**
 * Find the interfaces that slivers' packets leave by and whose queue does not look at priorities, such as `fq_codel`, which shares by flow.
 *
 * @param isOwn - whether the agent has made an interface of this name.
 * @returns each once with its queue: `eth0 (fq_codel)`.
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

/** Each interface has a route for its link-local addresses, which leads nowhere that slivers reach. */
function routedInterfaces(routes: string): readonly string[] {
  const lines = routes.split('\n').filter((line) => !line.startsWith('fe80::/64 '))
  return lines.flatMap((line) => [...line.matchAll(/ dev (\S+)/gu)].map(([, name = '']) => name))
}

/** A bridge or VLAN has no queue: packets wait in those of its ports, or of the interface beneath it. */
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
  // A set that grows while it is gone through is gone through to its new end.
  for (const upper of all)
    for (const pair of pairs) if (pair.upper === upper && pair.lower !== '') all.add(pair.lower)
  return all
}

interface Queue {
  readonly kind: string
  readonly name: string
  /** Whether it is inside another queue that decides about the order. */
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

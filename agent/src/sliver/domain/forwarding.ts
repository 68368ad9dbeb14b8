/** What the kernel has for an interface. Source: Linux, ip-sysctl, conf/interface. */
export interface InterfaceForwarding {
  readonly name: string
  /** Whether it is a router's interface, which ignores router advertisements, or a host's. */
  readonly forwarding: boolean
  /** Whether it forwards though it is a host's; null: this kernel, older than Linux 6.17, has no such setting. */
  readonly forced: string | null
  readonly acceptRa: string
}

/** What the kernel has for a network namespace. */
export interface ForwardingState {
  readonly all: boolean
  /** What new interfaces get of `forwarding`. */
  readonly byDefault: boolean
  readonly interfaces: readonly InterfaceForwarding[]
}

/** What is to be written, in this order, and what the filter has to hold. */
export interface ForwardingPlan {
  readonly settings: readonly ForwardingSetting[]
  /** The owner's interfaces that forward for slivers only. */
  readonly hostInterfaces: readonly string[]
}

/** A value for a file below `/proc/sys/net/ipv6/conf`. */
export interface ForwardingSetting {
  readonly name: string
  readonly setting: 'forwarding' | 'force_forwarding' | 'accept_ra'
  readonly value: string
}

/** Who has to be reached, and how. */
export interface ForwardingPurpose {
  readonly mgmtInterface: string | null
  /** Whether slivers are to be reached from other networks than the management network. */
  readonly fromOthers: boolean
}

/** Plan how slivers' packets are forwarded with the least change to the interfaces of the node's owner. */
export function planForwarding(state: ForwardingState, purpose: ForwardingPurpose): ForwardingPlan {
  const { mgmtInterface } = purpose
  const isOwn = (name: string): boolean => name.startsWith('slv-') || name === mgmtInterface
  const others = state.interfaces.filter(({ name }) => !isOwn(name))
  // When the management network has no interface of its own, its packets come in through the owner's interfaces.
  const needsOthers = purpose.fromOthers || mgmtInterface === null
  if (state.all) {
    // Every interface forwards: either the owner uses this device as a router, or this agent has set it so on an older kernel. The agent leaves the default for
    // new interfaces off, which tells the two apart.
    const isOurs = !state.byDefault
    return { settings: [], hostInterfaces: isOurs ? hosts(others) : [] }
  }
  const canForce = state.interfaces.some(({ forced }) => forced !== null)
  if (canForce) return planForcing(state.interfaces, { isOwn, needsOthers })
  return { settings: planSwitch(others), hostInterfaces: hosts(others) }
}

function planForcing(
  interfaces: readonly InterfaceForwarding[],
  { isOwn, needsOthers }: { isOwn: (name: string) => boolean; needsOthers: boolean },
): ForwardingPlan {
  const isNeeded = ({ name }: InterfaceForwarding): boolean => isOwn(name) || needsOthers
  const settings = interfaces
    .filter((one) => isNeeded(one) && one.forced !== '1')
    .map(({ name }) => ({ name, setting: 'force_forwarding', value: '1' }) as const)
  const forwarding = interfaces.filter((one) => one.forced === '1' || isNeeded(one))
  return {
    settings,
    hostInterfaces: forwarding.map(({ name }) => name).filter((name) => !isOwn(name)),
  }
}

/**
 * Setting `all/forwarding` makes every interface a router's. It removes the routes that came with router advertisements, except those of interfaces that accept
 * advertisements as routers too (`accept_ra` 2). Source: Linux, addrconf_fixup_forwarding and rt6_purge_dflt_routers.
 */
function planSwitch(others: readonly InterfaceForwarding[]): readonly ForwardingSetting[] {
  const hostsOnly = others.filter(({ forwarding }) => !forwarding)
  const accepting = hostsOnly.filter(({ acceptRa }) => acceptRa === '1')
  const acceptRa = (value: string) =>
    accepting.map(({ name }) => ({ name, setting: 'accept_ra', value }) as const)
  return [
    ...acceptRa('2'),
    { name: 'all', setting: 'forwarding', value: '1' },
    ...['default', ...hostsOnly.map(({ name }) => name)].map(
      (name) => ({ name, setting: 'forwarding', value: '0' }) as const,
    ),
    ...acceptRa('1'),
  ]
}

function hosts(interfaces: readonly InterfaceForwarding[]): readonly string[] {
  return interfaces.filter(({ forwarding }) => !forwarding).map(({ name }) => name)
}

/** The kernel's settings of an interface. Source: Linux, ip-sysctl, conf/interface. */
export interface InterfaceForwarding {
  readonly name: string
  /** Whether the interface is in router mode, in which it ignores router advertisements, or in host mode. */
  readonly forwarding: boolean
  /** Whether it forwards in host mode; null: this kernel is older than Linux 6.17 and has no such setting. */
  readonly forced: string | null
  readonly acceptRa: string
}

/** The kernel's settings of a network namespace. */
export interface ForwardingState {
  readonly all: boolean
  /** The value of `forwarding` for new interfaces. */
  readonly byDefault: boolean
  readonly interfaces: readonly InterfaceForwarding[]
}

/** The settings to write, in this order, and the interfaces for the filter. */
export interface ForwardingPlan {
  readonly settings: readonly ForwardingSetting[]
  /** The owner's interfaces that may forward only for slivers. */
  readonly hostInterfaces: readonly string[]
}

/** A value for a file below `/proc/sys/net/ipv6/conf`. */
export interface ForwardingSetting {
  readonly name: string
  readonly setting: 'forwarding' | 'force_forwarding' | 'accept_ra'
  readonly value: string
}

/** The networks from which slivers must be reachable. */
export interface ForwardingPurpose {
  readonly mgmtInterface: string | null
  /** Whether slivers must be reachable from networks other than the management network. */
  readonly fromOthers: boolean
}

/** Plan how to forward slivers' packets with the least change to the interfaces of the node's owner. */
export function planForwarding(state: ForwardingState, purpose: ForwardingPurpose): ForwardingPlan {
  const { mgmtInterface } = purpose
  const isOwn = (name: string): boolean => name.startsWith('slv-') || name === mgmtInterface
  const others = state.interfaces.filter(({ name }) => !isOwn(name))
  // When the management network has no interface of its own, its packets come in through the owner's interfaces.
  const needsOthers = purpose.fromOthers || mgmtInterface === null
  if (state.all) {
    // Every interface forwards: either the owner uses this device as a router, or this agent has set it on an older kernel. The agent keeps the default for new
    // interfaces off, which distinguishes the two cases.
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
 * Plan the switch to forwarding on older kernels. Setting `all/forwarding` puts every interface into router mode. It removes the routes from router
 * advertisements, except those of interfaces that accept advertisements as routers too (`accept_ra` 2). Source: Linux, addrconf_fixup_forwarding and
 * rt6_purge_dflt_routers.
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

import { code } from './define.ts'

/** Codes of the slivers on a node. */
export const agentSliverCodes = {
  /** A command of the host that makes a sliver, its network or its container. */
  LAB_SLIVER_COMMAND_FAILED: code<{ command: string; reason: string }>(
    0,
    true,
    (d) => `${d.command} failed: ${d.reason}; the node's log tells what it was for`,
  ),
  LAB_SLIVER_NO_RUNTIME: code<{ sliver: string; reason: string }>(
    0,
    true,
    (d) =>
      `sliver ${d.sliver} cannot run on this node: ${d.reason}; Debian's packages crun, nftables and iproute2 are needed, and restart the agent after installing them`,
  ),
  LAB_SLIVER_NO_ROOM: code<{
    sliver: string
    resource: string
    asked: number
    unit: string
    free: number
  }>(
    0,
    true,
    (d) =>
      `sliver ${d.sliver} asks for ${d.asked} ${d.unit} of ${d.resource}, and this node has ${d.free} left; ask for less, or release other slices on it`,
  ),
  /** The owner lends the node at other hours. */
  LAB_SLIVER_NOT_LENT_NOW: code<{ sliver: string; opens: string | null; timeZone: string }>(
    0,
    true,
    (d) =>
      `sliver ${d.sliver} is stopped, and its files are kept, for the owner of this node does not lend it at this hour; ${d.opens === null ? 'its hours never begin: ask the owner' : `it starts again on ${d.opens} (${d.timeZone})`}`,
  ),
  LAB_SLIVER_INTERFACE_NOT_LENT: code<{ sliver: string; type: string }>(
    0,
    false,
    (d) =>
      `sliver ${d.sliver} is made without its interface of kind ${d.type}, which the owner of this node does not lend; use another node if it is needed`,
  ),
  LAB_SLIVER_UNREADABLE: code<{ sliver: string; keptAt: string; reason: string; running: string }>(
    0,
    true,
    (d) =>
      `sliver ${d.sliver} is kept as it is, for its record cannot be read: ${d.keptAt}: ${d.reason}; ${d.running}. Let the agent that wrote it run again, or move its folder away and a new sliver is made`,
  ),
  LAB_SLIVER_STUCK: code<{ sliver: string; pid: number; state: string; waitedMs: number }>(
    0,
    true,
    (d) =>
      `sliver ${d.sliver}: its first process, ${d.pid}, was killed and is still there after ${d.waitedMs} ms (state ${d.state}); the kernel waits for a device, so look at the node's disks. It is tried again`,
  ),
  LAB_SLIVER_STAGE: code<{ sliver: string; stage: string; needs: string }>(
    0,
    true,
    (d) => `sliver ${d.sliver} is ${d.stage} on this node, and this needs it ${d.needs}`,
  ),
  LAB_SLIVER_ENDED: code<{ sliver: string; reason: string }>(
    0,
    true,
    (d) => `sliver ${d.sliver} ended by itself: ${d.reason}; it is started again`,
  ),
  LAB_SLIVER_NO_SSH: code<{ sliver: string; waitedMs: number }>(
    0,
    true,
    (d) =>
      `sliver ${d.sliver} runs, but its SSH server has not begun to listen within ${d.waitedMs} ms; give it more memory or CPU, or look at its template's /usr/sbin/dropbear`,
  ),
  LAB_SLIVER_INTERFACE_UNKNOWN: code<{ sliver: string; type: string; known: readonly string[] }>(
    0,
    false,
    (d) =>
      `sliver ${d.sliver} asks for an interface of the kind ${JSON.stringify(d.type)}, and this node's agent knows ${d.known.join(' and ')}; upgrade the agent, or ask for one of these`,
  ),
  /** What is set when a container is created cannot be changed while it runs. */
  LAB_SLIVER_OTHER_PROTECTION: code<{ slivers: readonly string[]; node: string }>(
    0,
    true,
    (d) =>
      `${listOf(d.slivers)} of node ${d.node} run${d.slivers.length === 1 ? 's' : ''} with the system calls, capabilities, mounts or limits that another version of the agent gave, not with those of the one that is there now. Restart the node's slivers: community-lab node reboot ${d.node}`,
  ),
  /** Another program has changed what the agent had set on the host. */
  LAB_NODE_MENDED: code<{ what: string; found: string; on: string }>(
    0,
    true,
    (d) =>
      `${d.what} ${d.found}, found on ${d.on}; the agent has set it again: see what else on this node changes it`,
  ),
  LAB_NODE_LENDS_LESS: code<{ reason: string }>(
    0,
    true,
    (d) =>
      `this node lends less than its slivers use at present, and they are not held to it yet (${d.reason}); it is tried again, and new slivers are refused meanwhile`,
  ),
  LAB_NODE_CONTRADICTED: code<{ node: string; found: string; wanted: string; help: string }>(
    0,
    false,
    (d) =>
      `node ${d.node} is in debug, and its slivers are removed: ${d.found}, and ${d.wanted}. What to do: ${d.help}. It goes back by itself once this is right`,
  ),
  LAB_NODE_DISK_LOW: code<{ dataDir: string; leastMiB: number }>(
    0,
    true,
    (d) =>
      `the disk that holds ${d.dataDir} has less than ${d.leastMiB} MiB left; free some, or lend less of it with COMMUNITY_LAB_AGENT_LENDS`,
  ),
  /** Slivers that cannot be isolated do not run. */
  LAB_SLIVER_UNFILTERED: code<{ reason: string }>(
    0,
    true,
    (d) =>
      `the packet filter of this node's slivers cannot be set: ${d.reason}; no sliver runs until it can be: see what else on the node uses nftables, with \`nft list ruleset\``,
  ),
} as const

/** List some slivers: the first few by id, and the number of the others. */
function listOf(slivers: readonly string[]): string {
  const told = slivers.slice(0, 5)
  const more = slivers.length - told.length
  return `sliver${slivers.length === 1 ? '' : 's'} ${told.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

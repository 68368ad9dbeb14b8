import { code } from './define.ts'

/** Codes of the slivers on a node, as its agent makes them. */
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
} as const

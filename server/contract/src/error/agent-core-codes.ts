import { code } from './define.ts'

/** Codes of the agent's start-up and loop. */
export const agentCoreCodes = {
  LAB_ARCH_UNKNOWN: code<{ found: string; machine: string; archs: readonly string[] }>(
    0,
    false,
    (d) =>
      `this machine's processor is ${d.found} (${d.machine}), and no node has one; nodes can have ${d.archs.join(', ')}`,
  ),
  LAB_AGENT_RUNNING: code<{ dataDir: string; pid: number }>(
    0,
    false,
    (d) =>
      `an agent (process ${d.pid}) works in ${d.dataDir} already; stop it first, or give this one a folder of its own in COMMUNITY_LAB_AGENT_DATA`,
  ),
  LAB_AGENT_REBOOT_FAILED: code<{ command: string; reason: string }>(
    0,
    false,
    (d) =>
      `\`${d.command}\` does not reboot this node: ${d.reason}; its slivers were started again instead. Correct COMMUNITY_LAB_AGENT_REBOOT_COMMAND on the node`,
  ),
  LAB_AGENT_DOCUMENT_UNREADABLE: code<{ what: string; keptAt: string; reason: string }>(
    0,
    false,
    (d) =>
      `${d.what}: ${d.keptAt} cannot be read (${d.reason}) and is kept; the agent that wrote it can read it, and once it is not needed any more it can be removed`,
  ),
} as const

import { code } from './define.ts'

/** Codes of the agent's start-up and loop. */
export const agentCoreCodes = {
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
      `\`${d.command}\` does not reboot this node: ${d.reason}; its slivers were started anew instead. Correct COMMUNITY_LAB_AGENT_REBOOT_COMMAND on the node`,
  ),
} as const

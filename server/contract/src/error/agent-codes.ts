import { code } from './define.ts'

/** Codes of the agent. */
export const agentCodes = {
  /** A segment of the node's spool of samples cannot be read. */
  LAB_AGENT_SPOOL_DAMAGED: code<{ path: string; found: string; keptAt: string }>(
    0,
    false,
    ({ path, found, keptAt }) =>
      `spool: the head of ${path} ${found}; the file was set aside as ${keptAt}, and the node goes on without it; remove it when nobody needs it`,
  ),
  /** The process that reads the lines of slivers (the catcher) could not be started. */
  LAB_AGENT_CATCHER_FAILED: code<{ sliver: string; reason: string }>(
    0,
    true,
    ({ sliver, reason }) =>
      `sliver ${sliver}: its samples cannot be caught: ${reason}; this needs perl (Debian's perl-base) and mkfifo`,
  ),
  /** The server sent a message on the node's stream that its protocol does not have. */
  LAB_AGENT_STREAM_UNREADABLE: code<{ found: string }>(
    0,
    true,
    ({ found }) =>
      `stream: the server sent ${found}, which is not of this protocol; the connection is made again`,
  ),
} as const

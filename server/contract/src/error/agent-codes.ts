import { code } from './define.ts'

/** Codes of the agent. */
export const agentCodes = {
  /** The head of the newest segment of the node's spool of samples cannot be read. */
  LAB_AGENT_SPOOL_DAMAGED: code<{ path: string }>(
    0,
    false,
    ({ path }) =>
      `spool: ${path} has a damaged head, so the samples in it cannot be numbered on; move the spool's folder away and a new one begins`,
  ),
  /** The process that catches what a sliver's programs write could not be started. */
  LAB_AGENT_CATCHER_FAILED: code<{ sliver: string; reason: string }>(
    0,
    true,
    ({ sliver, reason }) =>
      `sliver ${sliver}: its samples cannot be caught: ${reason}; this needs perl (Debian's perl-base) and mkfifo`,
  ),
  /** The server sent something on the node's stream that is not of its protocol. */
  LAB_AGENT_STREAM_UNREADABLE: code<{ found: string }>(
    0,
    true,
    ({ found }) =>
      `stream: the server sent ${found}, which is not of this protocol; the connection is made anew`,
  ),
} as const

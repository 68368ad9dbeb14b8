import { code } from './define.ts'

/** Codes of the management network: its daemons, the gateway, and the identity of a node. */
export const managementCodes = {
  LAB_TINC_FAILED: code<{ what: string; reason: string }>(
    0,
    true,
    (d) =>
      `the management network's tincd of ${d.what} did not start: ${d.reason}; its log tells more (Debian package: tinc)`,
  ),
  LAB_GATEWAY_UNAVAILABLE: code<{ socket: string; reason: string }>(
    0,
    true,
    (d) =>
      `the management gateway does not answer at ${d.socket} (${d.reason}); start it, or look at its log`,
  ),
  LAB_GATEWAY_REFUSED: code<{ reason: string }>(
    0,
    false,
    (d) => `the management gateway refused: ${d.reason}`,
  ),
  LAB_GATEWAY_RUNNING: code<{ socket: string }>(
    0,
    false,
    (d) => `a management gateway answers at ${d.socket} already; stop it first`,
  ),
  LAB_GATEWAY_UNSAFE_FOLDER: code<{ folder: string; reason: string }>(
    0,
    false,
    (d) =>
      `the management gateway will not keep its scripts in ${d.folder}: ${d.reason}; remove it, or set COMMUNITY_LAB_GATEWAY_RUN_DIR`,
  ),
  LAB_SERVER_ITSELF: code<{ server: string; action: 'change' | 'remove' }>(403, false, (d) =>
    d.action === 'remove'
      ? `server ${d.server} cannot be removed: it is the one that answers`
      : `api and tinc of server ${d.server} follow from its own settings; change those (COMMUNITY_LAB_SERVER_…) and restart it`,
  ),
  LAB_IDENTITY_DAMAGED: code<{ file: string; reason: string }>(
    0,
    false,
    (d) =>
      `${d.file} does not tell who this node is (${d.reason}); let the agent that wrote it run again, or move it away and enrol the node again with a new token`,
  ),
  LAB_RESPONSE_INVALID: code<{ url: string; reason: string }>(
    0,
    true,
    (d) => `the answer of ${d.url} cannot be used: ${d.reason}`,
  ),
  LAB_RESPONSE_TOO_LARGE: code<{ url: string; limitBytes: number }>(
    0,
    false,
    (d) => `the answer of ${d.url} is larger than ${d.limitBytes} bytes; nothing of it was kept`,
  ),
} as const

import { adviseConnection } from './advise-connection.ts'
import { code } from './define.ts'

/** Codes of processes: configuration, start-up, and talking to each other. */
export const processCodes = {
  LAB_CONFIG_INVALID: code<{ variable: string; found: string; expected: string }>(
    0,
    false,
    (d) => `${d.variable} is ${JSON.stringify(d.found)}; expected ${d.expected}`,
  ),
  LAB_CONFIG_MISSING: code<{ variable: string; meaning: string }>(
    0,
    false,
    (d) => `${d.variable} is not set; it is ${d.meaning}`,
  ),
  LAB_CONFIG_UNKNOWN_VARIABLE: code<{ variable: string; suggestion: string | null }>(
    0,
    false,
    (d) =>
      `${d.variable} is not a setting${d.suggestion === null ? '' : `; did you mean ${d.suggestion}?`}; unset it or correct its name`,
  ),
  LAB_PORT_IN_USE: code<{ port: number; what: string; option: string }>(
    0,
    false,
    (d) =>
      `port ${d.port}, wanted for ${d.what}, is in use; stop what holds it or choose another with ${d.option}`,
  ),
  LAB_CONNECTION_FAILED: code<{ url: string; reason: string; attempts: number }>(
    0,
    true,
    (d) =>
      `cannot reach ${d.url} (${d.reason}; ${d.attempts} ${d.attempts === 1 ? 'attempt' : 'attempts'}); ${adviseConnection(d)}`,
  ),
  LAB_TIMEOUT: code<{ what: string; waitedMs: number }>(
    0,
    true,
    (d) => `${d.what} did not happen within ${d.waitedMs} ms`,
  ),
  LAB_DATABASE_UNUSABLE: code<{ database: string; reason: string }>(
    0,
    false,
    (d) =>
      `the database ${d.database} cannot be used: ${d.reason}; make it reachable, or correct DATABASE_URL`,
  ),
  LAB_REFUSES_ROOT: code<{ what: string }>(
    0,
    false,
    (d) =>
      `${d.what} does not run as root, because nothing it does needs that; run it as an ordinary user`,
  ),
  LAB_SOCKET_IN_USE: code<{ socket: string }>(
    0,
    false,
    (d) => `something answers at ${d.socket} already; stop it, or choose another socket`,
  ),
  LAB_SERVER_FOLDER_IN_USE: code<{ dir: string }>(
    0,
    false,
    (d) => `another server runs on the folder ${d.dir}; end it first, or choose another folder`,
  ),
  LAB_INTERNAL: code<{ what: string }>(
    0,
    false,
    (d) => `${d.what}; this is a defect, please report it`,
  ),
} as const

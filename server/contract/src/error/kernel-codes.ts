import { code } from './define.ts'

/** A sliver with a problem, for an error that lists several. */
export interface SliverTrouble {
  readonly sliver: string
  readonly node: string
  readonly state: string
  /** What its node reports, or what the node itself is, where that keeps the sliver from starting; empty when nothing is known. */
  readonly reason: string
}

const listTroubles = (troubles: readonly SliverTrouble[]): string =>
  troubles
    .map((t) => `${t.node} (${t.sliver}) is ${t.state}${t.reason === '' ? '' : `: ${t.reason}`}`)
    .join('; ')

/** Codes of the kernel. */
export const kernelCodes = {
  LAB_CREDENTIALS_MISSING: code<{ searched: readonly string[] }>(
    0,
    false,
    (d) =>
      `no credentials found (looked at ${d.searched.join(', ')}); start a testbed with \`npm start\`, or set COMMUNITY_LAB_CREDENTIALS to the file that the operator gave you`,
  ),
  LAB_CREDENTIALS_INVALID: code<{ file: string; problem: string }>(
    0,
    false,
    (d) =>
      `the credentials in ${d.file} cannot be used: ${d.problem}; ask the operator for the file again`,
  ),
  LAB_SSH_KEY_UNUSABLE: code<{ file: string; reason: string }>(
    0,
    false,
    (d) => `the SSH key ${d.file} cannot be used: ${d.reason}; move it away and a new one is made`,
  ),
  LAB_ARGUMENT_INVALID: code<{ argument: string; found: string; expected: string }>(
    0,
    false,
    (d) => `${d.argument} is ${d.found}; expected ${d.expected}`,
  ),
  LAB_SLIVER_UNKNOWN: code<{ slice: string; name: string; known: readonly string[] }>(
    0,
    false,
    (d) =>
      `slice ${JSON.stringify(d.slice)} has no sliver on ${JSON.stringify(d.name)} (slivers on: ${d.known.join(', ') || 'none'})`,
  ),
  LAB_SLICE_GONE: code<{ slice: string }>(
    0,
    false,
    (d) =>
      `slice ${d.slice} is not there any more: it was released or has expired, and its slivers with it. Take it again with lab.slices.ensure(…)`,
  ),
  LAB_SLIVER_GONE: code<{ sliver: string; node: string }>(
    0,
    false,
    (d) =>
      `sliver ${d.sliver} on ${d.node} is not there any more: its slice was released, changed or has expired, or its node has left the testbed. Look with slice.refresh()`,
  ),
  LAB_SLIVER_NO_ADDRESS: code<{ sliver: string; node: string }>(
    0,
    true,
    (d) =>
      `sliver ${d.sliver} on ${d.node} has no address in the community network; wait for it with slice.started(), or choose a node with a public prefix`,
  ),
  LAB_SLICE_FAILED: code<{ slice: string; failed: readonly SliverTrouble[] }>(
    0,
    false,
    (d) =>
      `slice ${JSON.stringify(d.slice)}: ${d.failed.length} of its slivers failed: ${listTroubles(d.failed)}`,
  ),
  LAB_SLICE_NOT_STARTED: code<{
    slice: string
    waitedMs: number
    waiting: readonly SliverTrouble[]
  }>(
    0,
    true,
    (d) =>
      `slice ${JSON.stringify(d.slice)} has not started within ${d.waitedMs} ms: ${listTroubles(d.waiting)}; look at these nodes, or wait again with a longer timeoutMs`,
  ),
  LAB_SSH_FAILED: code<{ sliver: string; node: string; reason: string }>(
    0,
    true,
    (d) => `SSH to sliver ${d.sliver} on ${d.node} failed: ${d.reason}`,
  ),
  LAB_SSH_HOST_KEY: code<{ sliver: string; node: string }>(
    0,
    false,
    (d) =>
      `what answers for sliver ${d.sliver} on ${d.node} does not have the host key that its node published; nothing was sent to it. If the sliver was just made again, refresh the slice and try again`,
  ),
  LAB_COMMAND_LOST: code<{ sliver: string; node: string; reason: string }>(
    0,
    false,
    (d) =>
      `the connection to sliver ${d.sliver} on ${d.node} broke while the command ran (${d.reason}); it may or may not have finished`,
  ),
  LAB_COMMAND_TIMEOUT: code<{ sliver: string; node: string; waitedMs: number }>(
    0,
    true,
    (d) =>
      `the command on sliver ${d.sliver} (${d.node}) did not end within ${d.waitedMs} ms; what it wrote until then is in the result`,
  ),
  LAB_COMMAND_NOT_STARTED: code<{ sliver: string; node: string; running: number }>(
    0,
    true,
    (d) =>
      `the SSH server of sliver ${d.sliver} on ${d.node} did not start the command, while ${d.running === 1 ? 'another one' : `${d.running} others`} ran there; it did not run. The sliver has no process left, or its SSH server no session: wait for others to end, or ask for more with \`processes\` in slices.ensure`,
  ),
  LAB_COMMAND_FAILED: code<{
    what: string
    sliver: string
    node: string
    reason: string
    /** On how many more slivers. */
    others: number
  }>(
    0,
    false,
    (d) =>
      `${d.what} failed on sliver ${d.sliver} (${d.node})${d.others === 0 ? '' : ` and on ${d.others} more`}: ${d.reason}`,
  ),
  LAB_DOWNLOAD_FAILED: code<{ what: string; reason: string }>(
    0,
    false,
    (d) => `${d.what} was not taken: ${d.reason}`,
  ),
  LAB_RUN_UNFINISHED: code<{ run: string; waiting: readonly string[]; waitedMs: number }>(
    0,
    true,
    (d) =>
      `run ${d.run} has not ended within ${d.waitedMs} ms on ${d.waiting.join(', ')}; wait again, or end it with run.cancel()`,
  ),
  LAB_RUN_CUT_OFF: code<{ run: string; where: readonly string[] }>(
    0,
    false,
    (d) =>
      `run ${d.run} was cut off on ${d.where.join(', ')}. What it measured until then is kept: run.sql, run.export and rows(…).forEach have it; start the run again for the rest`,
  ),
  LAB_RUN_FAILED: code<{
    run: string
    failed: readonly {
      readonly node: string
      readonly exitCode: number | null
      readonly why: string
    }[]
  }>(
    0,
    false,
    (d) =>
      `run ${d.run} failed on ${d.failed.map(({ node, why }) => `${node} (${why})`).join(', ')}; run.output() has what it printed`,
  ),
  LAB_DATASET_INVALID: code<{ folder: string; reason: string }>(
    0,
    false,
    (d) =>
      `${d.folder} cannot be used as a dataset: ${d.reason}; a dataset is a folder with manifest.json and the Parquet files that it names, as export() writes it. Export it or fetch it again`,
  ),
  LAB_SQL_FAILED: code<{ reason: string; tables: readonly string[] }>(
    0,
    false,
    (d) =>
      `the query failed: ${d.reason} (tables: ${d.tables.join(', ') || 'none yet; they appear with their first samples'})`,
  ),
  LAB_SQL_INVALID: code<{ problem: string }>(
    0,
    false,
    (d) => `the query was not run: ${d.problem}`,
  ),
  LAB_SQL_UNREADABLE: code<{ column: string; found: string; write: string }>(
    0,
    false,
    (d) =>
      `column ${JSON.stringify(d.column)} of the result holds ${d.found}, which JavaScript has no value for; write ${d.write} in the query`,
  ),
  LAB_FIGURE_INVALID: code<{ problem: string; write: string }>(
    0,
    false,
    (d) => `the figure was not drawn: ${d.problem}; ${d.write}`,
  ),
  LAB_NOT_VIRTUAL: code<{ url: string }>(
    0,
    false,
    (d) =>
      `the testbed at ${d.url} is not a virtual one on this machine (its credentials name no vct_socket); its links and nodes cannot be controlled from here`,
  ),
} as const

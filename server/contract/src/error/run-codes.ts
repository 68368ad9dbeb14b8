import { code } from './define.ts'

/** What the members of a run are, for those who do not write them by these names. */
const wordsOf: Readonly<Record<string, string>> = {
  programs: 'its programs',
  start_at: 'its start time',
  limit_ms: 'its limit of time',
  points: 'its points',
}

/** Codes of runs. */
export const runCodes = {
  LAB_RUN_EXISTS: code<{ slice: string; run: string; member: string }>(
    409,
    false,
    (d) =>
      `slice ${d.slice} has a run ${d.run} already, which differs in ${wordsOf[d.member] ?? d.member}; choose another name, or take the run that there is (in a notebook: lab.runs.get(${JSON.stringify(d.run)}, { slice: ${JSON.stringify(d.slice)} }))`,
  ),
  LAB_RUN_TOO_MANY: code<{ slice: string; limit: number; open: readonly string[] }>(
    409,
    false,
    (d) =>
      `slice ${d.slice} has ${d.limit} runs that have not ended, the most that it may have: ${d.open.join(', ')}; wait for one of them, or cancel it`,
  ),
  LAB_RUN_TOO_LARGE: code<{ run: string; bytes: number; limitBytes: number }>(
    422,
    false,
    (d) =>
      `the programs of run ${d.run} have ${d.bytes} bytes, and may have ${d.limitBytes} beside those of the slice's other runs that have not ended; put what is large into the files of a program (in a notebook: files: { 'name': text })`,
  ),
  LAB_POINT_INVALID: code<{ point: string; reason: string }>(
    0,
    false,
    (d) => `point ${JSON.stringify(d.point)} cannot be declared: ${d.reason}`,
  ),
  LAB_POINT_CONFLICT: code<{ slice: string; point: string; reason: string; run: string }>(
    409,
    false,
    (d) =>
      `slice ${d.slice} has a point ${d.point} of run ${d.run}, which differs: ${d.reason}; one table cannot hold both. Give the point or the field another name`,
  ),
  LAB_RUN_FILES_TOO_LARGE: code<{ run: string; bytes: number; limitBytes: number }>(
    422,
    false,
    (d) =>
      `the files of a program of run ${d.run} have ${d.bytes} bytes as an archive, and may have ${d.limitBytes}; put what is large into the data of the slice (slices.ensure with data), which its slivers begin with`,
  ),
  LAB_RUN_FILE_MISSING: code<{
    run: string
    file: string
    node: string | null
    reason: string
    kept: readonly string[]
  }>(
    0,
    false,
    (d) =>
      `run ${d.run} has no file ${JSON.stringify(d.file)}${d.node === null ? '' : ` of ${d.node}`}: ${d.reason} (its files: ${d.kept.join(', ') || 'none'}); run.files() lists them with the reasons, and a program says by keep what is kept`,
  ),
  LAB_RUN_GONE: code<{ run: string }>(
    0,
    false,
    (d) =>
      `run ${d.run} is not there any more: its slice was released or has expired. Its samples stay: run.rows, run.sql and run.export have them`,
  ),
  LAB_RUN_UNKNOWN: code<{ run: string; slice: string | null; found: readonly string[] }>(
    0,
    false,
    (d) =>
      `no run of the testbed that you can read has the name ${JSON.stringify(d.run)}${d.slice === null ? '' : ` in slice ${d.slice}`} (the latest: ${d.found.join(', ') || 'none'}); check the name, or whether its slice was released`,
  ),
  LAB_RUN_AMBIGUOUS: code<{ run: string; slices: readonly string[] }>(
    0,
    false,
    (d) =>
      `slices ${d.slices.join(', ')} each have a run ${d.run}; name the slice: lab.runs.get(name, { slice })`,
  ),
} as const

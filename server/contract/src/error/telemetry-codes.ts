import { code } from './define.ts'

/** Codes of the server's store of samples and of the nodes' streams into it. */
export const telemetryCodes = {
  LAB_TELEMETRY_UNUSABLE: code<{ file: string; reason: string }>(
    0,
    false,
    (d) =>
      `the store of samples ${d.file} cannot be used: ${d.reason}; nothing in it was changed. Restore it from a copy, or move it away and the server begins a new one`,
  ),
  LAB_TELEMETRY_FAILED: code<{ what: string; reason: string }>(
    503,
    true,
    (d) => `the store of samples could not ${d.what}: ${d.reason}; try again shortly`,
  ),
  LAB_TELEMETRY_BUSY: code<{ files: number }>(
    503,
    true,
    (d) =>
      `the server has ${d.files} files of samples under way for you or for others without a token, the most there may be; try again shortly`,
  ),
  LAB_TELEMETRY_DISK_FULL: code<{ reason: string }>(
    507,
    false,
    (d) => `no file of samples was written: ${d.reason}`,
  ),
} as const

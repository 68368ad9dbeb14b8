import { code } from './define.ts'

const inMiB = (bytes: number): number => Math.ceil(bytes / 1024 ** 2)

/** Codes of uploads of files: images of templates and data archives. */
export const uploadCodes = {
  LAB_UPLOAD_NO_LENGTH: code<{ header: string }>(
    411,
    false,
    (d) => `an upload says its length first: send the header ${d.header}, in bytes`,
  ),
  LAB_UPLOAD_PROTOCOL: code<{ found: string; supported: string }>(
    412,
    false,
    (d) =>
      `this upload speaks version ${JSON.stringify(d.found)} of the tus protocol, the server ${d.supported}; send the header Tus-Resumable: ${d.supported}`,
  ),
  LAB_UPLOAD_OFFSET: code<{ upload: string; expected: number; found: number }>(
    409,
    true,
    (d) =>
      `upload ${d.upload} goes on at byte ${d.expected}, not ${d.found}; ask for its offset by HEAD`,
  ),
  LAB_UPLOAD_BROKEN_OFF: code<{ upload: string; received: number; length: number }>(
    400,
    true,
    (d) =>
      `upload ${d.upload} broke off after ${d.received} of ${d.length} bytes; resume it where it stopped`,
  ),
  LAB_UPLOAD_CHECKSUM: code<{ target: string; expected: string; found: string }>(
    422,
    false,
    (d) =>
      `the SHA-256 of what was uploaded to ${d.target} is ${d.found}, expected ${d.expected}; upload it again`,
  ),
  LAB_UPLOAD_TOO_MANY: code<{ of: string; limit: number }>(
    409,
    true,
    (d) =>
      `${d.of} has ${d.limit} unfinished uploads, the most at once; finish or cancel one first (they end by themselves a day after their last byte)`,
  ),
  LAB_UPLOAD_NO_SPACE: code<{ neededBytes: number; freeBytes: number }>(
    507,
    true,
    (d) =>
      `the server's disk has no room for ${inMiB(d.neededBytes)} MiB more: ${inMiB(d.freeBytes)} MiB are free for uploads; tell an operator, or send less`,
  ),
} as const

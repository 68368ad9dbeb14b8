import { code } from './define.ts'

/** Codes of data archives: on the server, and on the nodes that unpack them. */
export const dataCodes = {
  LAB_DATA_UNKNOWN: code<{ sha256: string; group: string; uri: string; uploads_uri: string }>(
    404,
    false,
    (d) =>
      `group ${d.group} has no data archive with the SHA-256 ${d.sha256}; upload it to ${d.uri} first (PUT), or in parts to ${d.uploads_uri} (tus). An archive that no slice names is kept for an hour only`,
  ),
  LAB_DATA_FOREIGN: code<{ uri: string; group: string }>(
    422,
    false,
    (d) =>
      `${d.uri} is no data archive of group ${d.group} on this server; upload the archive (ctl/upload-data/), because nodes download from their own server only`,
  ),
  LAB_DATA_QUOTA: code<{
    group: string
    what: 'data archives' | 'MiB of data archives'
    limit: number
    used: number
  }>(
    409,
    false,
    (d) =>
      `group ${d.group} has ${d.used} ${d.what} of at most ${d.limit}; release slices whose data is not needed, or give them smaller data`,
  ),
  /** On a node. */
  LAB_DATA_CHECKSUM: code<{ expected: string; found: string }>(
    0,
    true,
    (d) =>
      `the data archive has the SHA-256 ${d.found}, expected ${d.expected}; it has changed on its way, and is downloaded again`,
  ),
  LAB_DATA_UNREACHABLE: code<{ sha256: string; reason: string }>(
    0,
    true,
    (d) =>
      `the data archive ${d.sha256.slice(0, 16)} cannot be downloaded: ${d.reason}. It is tried again; if the slice has other data by now, update the sliver`,
  ),
  LAB_DATA_NO_ROOM: code<{ keptMiB: number }>(
    0,
    true,
    (d) =>
      `the data archive does not fit on this node: with it, less than the ${d.keptMiB} MiB of disk would be left that slivers and samples have been promised; use a smaller archive, or release other slices on the node`,
  ),
  LAB_DATA_TOO_LARGE: code<{ what: 'MiB' | 'files and folders'; limit: number }>(
    0,
    false,
    (d) =>
      `the data archive does not fit into the ${d.limit} ${d.what} of this sliver's disk, of which its file system needs a part; ask for more disk, or use a smaller archive`,
  ),
  LAB_DATA_INVALID: code<{ entry: string | null; reason: string }>(
    0,
    false,
    (d) =>
      `the data archive cannot be unpacked${d.entry === null ? '' : `, at ${JSON.stringify(d.entry)}`}: ${d.reason}; pack it again, and update the sliver`,
  ),
} as const

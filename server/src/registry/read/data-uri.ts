import { path, routes } from '@community-lab/contract'

/** A data archive of a group. */
export interface ArchiveOfGroup {
  readonly groupId: number
  readonly sha256: string
}

/** Return the path of a data archive. */
export function dataUri({ groupId, sha256 }: ArchiveOfGroup): string {
  return path(routes.groupData, { id: groupId, hash: sha256 })
}

/** Show the data archive of a slice or sliver of a group; null: none. */
export function showData(
  groupId: number,
  sha256: string | null,
): { readonly data_uri: string | null; readonly data_sha256: string | null } {
  return { data_uri: sha256 === null ? null : dataUri({ groupId, sha256 }), data_sha256: sha256 }
}

/**
 * Tell whether a line of `ip -o monitor` reports that a sliver's link, or its address or route, was added or changed, such as `fd77::1 dev slv-01-03 metric
 * 1024`. When a link goes down or is removed, other lines report what was lost with it.
 */
export function isAdditionToSliverLink(line: string): boolean {
  return !line.startsWith('Deleted ') && /(?:^\d+: | dev )slv-/u.test(line)
}

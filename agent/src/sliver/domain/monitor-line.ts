/**
 * Tell whether a line of `ip -o monitor` says that a sliver's link, or an address or a route of one, was added or set, such as
 * `fd77::1 dev slv-01-03 metric 1024`. When one is set down or removed, other lines say what was lost by it.
 */
export function isAdditionToSliverLink(line: string): boolean {
  return !line.startsWith('Deleted ') && /(?:^\d+: | dev )slv-/u.test(line)
}

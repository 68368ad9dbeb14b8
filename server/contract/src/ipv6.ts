/** An IPv6 address as its eight 16-bit groups, most significant first. */
export type Ipv6Groups = readonly [number, number, number, number, number, number, number, number]

/**
 * Parse an IPv6 address in any of RFC 4291's text forms without an embedded IPv4 part.
 *
 * @throws RangeError when the text is not such an address.
 */
export function parseIpv6(text: string): Ipv6Groups {
  const halves = text.split('::')
  const head = groupsOf(halves[0] ?? '', text)
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? '', text) : []
  const missing = 8 - head.length - tail.length
  const wellFormed = halves.length === 2 ? missing >= 1 : halves.length === 1 && missing === 0
  if (!wellFormed) throw new RangeError(`not an IPv6 address: ${JSON.stringify(text)}`)
  return toGroups([...head, ...new Array<number>(missing).fill(0), ...tail])
}

/**
 * Write an IPv6 address in its canonical form.
 *
 * Source: RFC 5952 section 4: lower case, no leading zeros, the longest run of at least two zero groups as `::`, the first one when several are longest.
 */
export function formatIpv6(groups: Ipv6Groups): string {
  let best = { start: -1, length: 1 }
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (start + length < 8 && groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  const hex = groups.map((group) => group.toString(16))
  if (best.start < 0) return hex.join(':')
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`
}

/** Check that a list is eight 16-bit groups. @throws RangeError when it is not. */
export function toGroups(list: readonly number[]): Ipv6Groups {
  const [a, b, c, d, e, f, g, h] = list
  const all = [a, b, c, d, e, f, g, h]
  const valid =
    list.length === 8 &&
    all.every((group) => Number.isInteger(group) && Number(group) >= 0 && Number(group) <= 0xffff)
  if (!valid) throw new RangeError(`not eight 16-bit groups: ${list.join(',')}`)
  return all as number[] as unknown as Ipv6Groups
}

function groupsOf(part: string, whole: string): number[] {
  if (part === '') return []
  return part.split(':').map((group) => {
    if (!/^[0-9a-f]{1,4}$/iu.test(group)) {
      throw new RangeError(`not an IPv6 address: ${JSON.stringify(whole)}`)
    }
    return Number.parseInt(group, 16)
  })
}

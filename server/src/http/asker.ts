import { isIPv6 } from 'node:net'
import { parseIpv6 } from '@community-lab/contract'
import type { FastifyRequest } from 'fastify'
import '../decorations.ts'

/** Return the key under which limits count a request: its token, or its address when it has none. */
export function askerOf(request: FastifyRequest): string {
  const { tokenId } = request.principal
  return tokenId === null ? (addressOf(request) ?? 'socket') : `token ${tokenId}`
}

/** Return the address of a request: an IPv4 address, or the /64 of an IPv6 address, because one client has the whole /64; null: the Unix socket. */
export function addressOf(request: FastifyRequest): string | null {
  const plain = fullAddressOf(request)
  if (plain === null) return null
  return isIPv6(plain) ? parseIpv6(plain).slice(0, 4).join(':') : plain
}

/** Return the full address of a request; null: the Unix socket. */
export function fullAddressOf({ ip }: FastifyRequest): string | null {
  if (typeof ip !== 'string' || ip === '') return null
  return ip.replace(/^::ffff:(?=\d+\.)/u, '').replace(/%.*$/u, '')
}

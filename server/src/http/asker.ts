import { isIPv6 } from 'node:net'
import { parseIpv6 } from '@community-lab/contract'
import type { FastifyRequest } from 'fastify'
import '../decorations.ts'

/** Whom a request counts for where limits are counted: its token, or where it comes from when it has none. */
export function askerOf(request: FastifyRequest): string {
  const { tokenId } = request.principal
  return tokenId === null ? (addressOf(request) ?? 'socket') : `token ${tokenId}`
}

/** Where a request comes from: an IPv4 address, or the /64 of an IPv6 address, of which its owner has all; null: the Unix socket. */
export function addressOf(request: FastifyRequest): string | null {
  const plain = fullAddressOf(request)
  if (plain === null) return null
  return isIPv6(plain) ? parseIpv6(plain).slice(0, 4).join(':') : plain
}

/** The whole address where a request comes from; null: the Unix socket. */
export function fullAddressOf({ ip }: FastifyRequest): string | null {
  if (typeof ip !== 'string' || ip === '') return null
  return ip.replace(/^::ffff:(?=\d+\.)/u, '').replace(/%.*$/u, '')
}

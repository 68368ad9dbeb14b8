import { routes, Sliver as SliverObject } from '@community-lab/contract'
import Type from 'typebox'
import type { Session } from '../session.ts'

/** Read the slivers of a slice. */
export function readSlivers(
  { http }: Session,
  sliceId: number,
  signal: AbortSignal,
): Promise<SliverObject[]> {
  const query = { '/slice/id': String(sliceId) }
  return http.ask(Type.Array(SliverObject), routes.slivers, { query, signal })
}

import { once } from 'node:events'
import { streamSubprotocol } from '@community-lab/contract'
import { WebSocket } from 'ws'

/** Open the stream of a node to the server of a bench, which knows nodes by their numbers. */
export async function openNodeStream(
  port: number | string,
  nodeId: number,
  signal?: AbortSignal,
): Promise<WebSocket> {
  const url = `ws://127.0.0.1:${port}/api/nodes/${nodeId}/ctl/stream`
  const headers = { authorization: `Bearer node${nodeId}` }
  const socket = new WebSocket(url, [streamSubprotocol], { headers, perMessageDeflate: false })
  await once(socket, 'open', signal === undefined ? {} : { signal })
  return socket
}

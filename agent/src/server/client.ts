import { LabError, path as fillRoute, routes, type NodeReport } from '@community-lab/contract'
import type { WebSocket } from 'ws'
import { readWanted, type NodeWanted } from '../plan/wanted.ts'
import type { HttpAnswer } from './http-answer.ts'
import { createPinnedHttp } from './pinned-http.ts'
import { openNodeStream } from './stream.ts'

/** Options of {@link createServerClient}. */
export interface ServerClientOptions {
  /** The URL of the server in the management network, `https://[P::2]:8443`. */
  readonly url: string
  readonly certificateSha256: string
  /** The node's own token. */
  readonly token: string
  readonly nodeId: number
  /** The largest template image accepted, in bytes; default 1 GiB. */
  readonly maxImageBytes?: number
}

/** The answer to a pull: `changed` is false when the ETag of the caller is that of the current target. */
export type TargetAnswer =
  { readonly changed: false } | { readonly changed: true; readonly fetched: FetchedTarget }

/** A target from the server. */
export interface FetchedTarget {
  readonly etag: string | null
  /** The document as it was sent, including members that this agent does not understand. */
  readonly document: unknown
  readonly wanted: NodeWanted
}

/**
 * The agent's side of the server's API. Nothing is repeated here: the agent's loop decides when to try again. Every call throws the server's own {@link
 * LabError}, LAB_CONNECTION_FAILED, LAB_CERTIFICATE_MISMATCH or LAB_RESPONSE_INVALID; an abort throws the signal's reason.
 */
export interface ServerClient {
  getTarget(etag: string | null, signal: AbortSignal): Promise<TargetAnswer>
  /** Send a report. Returns its ETag at the server; null when the server sends none. */
  putReport(report: NodeReport, signal: AbortSignal): Promise<string | null>
  /**
   * Read a template's image from the server. The caller checks its SHA-256.
   *
   * @throws {@link LabError} LAB_RESPONSE_INVALID when the URL of the image is that of another host; LAB_RESPONSE_TOO_LARGE, at once or while it is read.
   */
  fetchImage(uri: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  /**
   * Read a file from the server, from a byte on. A server that does not know parts sends the whole file.
   *
   * @throws {@link LabError} as {@link ServerClient.fetchImage}.
   */
  fetchFrom(
    uri: string,
    fromByte: number,
    signal: AbortSignal,
  ): Promise<{ readonly fromByte: number; readonly content: AsyncIterable<Uint8Array> }>
  /** Open the node's stream. The signal ends the attempt; afterwards the caller must close the stream. */
  openStream(signal: AbortSignal): Promise<WebSocket>
  /** Close all connections except streams. Requests under way fail. */
  close(): void
}

/** Make a client for the server of a node. Connections are opened when needed, and kept. */
export function createServerClient(options: ServerClientOptions): ServerClient {
  const { url, certificateSha256, token, nodeId, maxImageBytes: limitBytes = 2 ** 30 } = options
  const http = createPinnedHttp({ url, certificateSha256, token })
  const targetPath = fillRoute(routes.nodeTarget, { id: nodeId })
  const statePath = fillRoute(routes.nodeState, { id: nodeId })
  /** Ask for a file of the server. */
  async function open(uri: string, signal: AbortSignal, fromByte = 0): Promise<HttpAnswer> {
    const whole = new URL(uri, url)
    if (whole.origin !== new URL(url).origin)
      throw invalid(whole, "images and data archives come from the testbed's own server")
    const path = whole.pathname + whole.search
    const headers = fromByte === 0 ? {} : { range: `bytes=${fromByte}-` }
    const answer = await http.request({ method: 'GET', path, headers, signal })
    if (Number(answer.header('content-length') ?? 0) > limitBytes) {
      answer.leave()
      throw new LabError('LAB_RESPONSE_TOO_LARGE', { url: whole.href, limitBytes })
    }
    return answer
  }
  return {
    async getTarget(etag, signal) {
      const answer = await http.request({
        method: 'GET',
        path: targetPath,
        headers: etag === null ? {} : { 'if-none-match': etag },
        signal,
      })
      if (answer.status === 304) {
        await answer.skip()
        return { changed: false }
      }
      const document = await answer.readJson()
      const wanted = readWanted(document)
      if (typeof wanted === 'string') throw invalid(new URL(targetPath, url), wanted)
      return { changed: true, fetched: { etag: answer.header('etag'), document, wanted } }
    },
    async putReport(report, signal) {
      const answer = await http.request({ method: 'PUT', path: statePath, json: report, signal })
      await answer.skip()
      return answer.header('etag')
    },
    async fetchImage(uri, signal) {
      return (await open(uri, signal)).read(limitBytes)
    },
    async fetchFrom(uri, fromByte, signal) {
      const answer = await open(uri, signal, fromByte)
      const isPart = answer.status === 206
      return { fromByte: isPart ? fromByte : 0, content: answer.read(limitBytes) }
    },
    openStream: (signal) => openNodeStream({ url, certificateSha256, token, nodeId, signal }),
    close: () => http.close(),
  }
}

function invalid({ href: url }: URL, reason: string): LabError {
  return new LabError('LAB_RESPONSE_INVALID', { url, reason })
}

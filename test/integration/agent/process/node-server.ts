import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { path, routes, type NodeTarget } from '@community-lab/contract'
import { ensureCertificate } from '../../../../server/src/tls/certificate.ts'
import type { ServerChange, ServerNews, ServerSettings } from './whole-agent.ts'

/** The part of a server that one node needs, on the machine of a test. It has no stream for samples, so these stay in the node's spool. */
const { dir, nodeId } = JSON.parse(process.argv[2] ?? '{}') as ServerSettings
const images: Record<string, string> = {}
let target: NodeTarget | null = null
let version = 0
let sendsWholeImages = true

const certificate = await ensureCertificate(dir)
const server = createServer({ cert: certificate.certPem, key: certificate.keyPem })
server.on('request', (request, response) => {
  const url = request.url ?? ''
  const image = images[url]
  if (url === path(routes.nodeTarget, { id: nodeId }) && target !== null) {
    const etag = `"${version}"`
    if (request.headers['if-none-match'] === etag) response.writeHead(304).end()
    else response.writeHead(200, { etag }).end(JSON.stringify(target))
  } else if (url === path(routes.nodeState, { id: nodeId })) {
    void text(request).then((report) => {
      tell({ kind: 'report', report: JSON.parse(report) as never })
      response.writeHead(204).end()
    })
  } else if (image !== undefined) {
    const content = readFileSync(image)
    response.writeHead(200, { 'content-length': content.length })
    if (sendsWholeImages) response.end(content)
    else response.write(content.subarray(0, content.length >> 1), () => tell({ kind: 'half' }))
  } else response.writeHead(404).end()
})

process.on('message', (change: ServerChange) => {
  if (change.target !== undefined) {
    target = change.target
    version += 1
  }
  Object.assign(images, change.images)
  sendsWholeImages = change.sendsWholeImages ?? sendsWholeImages
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  tell({ kind: 'ready', port, certificateSha256: certificate.sha256 })
})

function tell(news: ServerNews): void {
  process.send?.(news)
}

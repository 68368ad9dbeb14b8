import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { endWhenStalled } from '../../../../server/src/http/streams.ts'

describe('a reader who takes nothing of an answer', () => {
  it('is disconnected', async () => {
    const server = createServer()
    const answered = once(server, 'request') as Promise<[unknown, ServerResponse]>
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const reader = connect((server.address() as AddressInfo).port, '127.0.0.1').pause()
    reader.write('GET / HTTP/1.1\r\nhost: here\r\n\r\n')
    const [, response] = await answered
    endWhenStalled(response, 50)
    response.write(Buffer.alloc(32 * 1024 * 1024))
    await once(response, 'close')
    expect(response.writableFinished).toBe(false)
    reader.destroy()
    server.close()
  })
})

import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach } from 'vitest'
import { makePlace, type Place } from './place.ts'

/** A request that a fake server has got. */
export interface Asked {
  readonly method: string
  readonly url: string
  readonly token: string | undefined
  readonly body: unknown
}

/** What commands ask: a server and a testbed's control socket whose answers a test decides, and a checkout with credentials for them. */
export interface Fakes {
  readonly place: Place
  readonly server: FastifyInstance
  readonly control: FastifyInstance
  /** All requests so far, of both. */
  readonly asked: readonly Asked[]
  /** Begin to answer, and write the credentials of an operator and a researcher. Returns the server's URL. */
  listen(): Promise<string>
}

/** Give each test of a file fakes of its own. */
export function useFakes(): Fakes {
  let place: Place
  let asked: Asked[]
  let server: FastifyInstance
  let control: FastifyInstance
  beforeEach(async () => {
    place = await makePlace()
    asked = []
    server = record(Fastify(), asked)
    control = record(Fastify(), asked)
    // They name what other objects refer to.
    for (const list of ['groups', 'islands']) server.get(`/api/${list}/`, () => [])
  })
  afterEach(async () => {
    await server.close()
    await control.close()
    await place[Symbol.asyncDispose]()
  })
  return {
    get place() {
      return place
    },
    get server() {
      return server
    },
    get control() {
      return control
    },
    get asked() {
      return asked
    },
    async listen() {
      const url = await server.listen({ host: '127.0.0.1', port: 0 })
      const socket = join(place.home, 'vct.sock')
      await control.listen({ path: socket })
      const credentials = { url, token: 'of-the-operator', vct_socket: socket }
      await place.write('.community-lab/credentials-operator.json', JSON.stringify(credentials))
      await place.write(
        '.community-lab/credentials.json',
        JSON.stringify({ ...credentials, token: 'of-a-researcher' }),
      )
      return url
    },
  }
}

function record(app: FastifyInstance, asked: Asked[]): FastifyInstance {
  app.addHook('preHandler', (request, _reply, done) => {
    const { method, url, body } = request
    asked.push({ method, url, token: request.headers.authorization, body })
    done()
  })
  return app
}

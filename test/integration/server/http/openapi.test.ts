import { Agreement, nullable, routes } from '@community-lab/contract'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import Fastify from 'fastify'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rights, type RightName } from '../../../../server/src/domain/rights.ts'
import { useContractSchemas } from '../../../../server/src/http/validate.ts'
import { startTestbeds, type TestbedWorld, type Testbeds } from '../world/testbed.ts'

let testbeds: Testbeds
let world: TestbedWorld
beforeAll(async () => {
  testbeds = await startTestbeds('embedded')
  world = await testbeds.start()
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await testbeds[Symbol.asyncDispose]()
})

interface Operation {
  readonly summary?: string
  readonly description?: string
  readonly 'x-right': RightName
  readonly tags?: readonly string[]
  readonly security: readonly object[]
  readonly parameters?: readonly { readonly in: string; readonly name: string }[]
  readonly requestBody?: Body
  readonly responses: Readonly<Record<string, Body & { readonly description: string }>>
}
interface Body {
  readonly content?: Readonly<Record<string, { readonly schema: object }>>
}
interface Document {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

/** The places in a schema where a value may have members that the schema does not name. */
function findOpen(schema: unknown, place: string): string[] {
  if (typeof schema !== 'object' || schema === null) return [place]
  const { type, properties, items, anyOf, allOf, patternProperties, additionalProperties } =
    schema as Readonly<Record<string, unknown>>
  const parts = [anyOf, allOf].flat().filter((part) => part !== undefined)
  if (parts.length > 0) return parts.flatMap((part) => findOpen(part, place))
  if (type === 'array') return findOpen(items, `${place}/*`)
  if (type === undefined && !('const' in schema) && !('enum' in schema)) return [place]
  if (type !== 'object') return []
  const isOpen = patternProperties !== undefined || typeof additionalProperties === 'object'
  const own = Object.entries(properties ?? {}).flatMap(([name, part]) =>
    findOpen(part, `${place}/${name}`),
  )
  return isOpen || properties === undefined ? [place, ...own] : own
}

function isPublic({ 'x-right': right }: Operation): boolean {
  return rights[right].may === 'anybody'
}

async function readDocument(): Promise<Document> {
  return (await world.ask(null, 'GET', `${routes.docs}/json`)).json<Document>()
}

describe('the OpenAPI document', () => {
  it('describes every path of the contract', async () => {
    const { openapi, paths } = await readDocument()
    expect(openapi).toBe('3.1.0')
    const expected = Object.values(routes).filter((route) => route !== routes.docs)
    expect(Object.keys(paths).sort()).toEqual(expected.sort())
  })

  it('is valid, and has what programs that read such documents need', async () => {
    const config = await createConfig({
      extends: ['recommended-strict'],
      rules: {
        // CONFINE's paths end with a slash, and its clients use them as they are.
        'no-path-trailing-slash': 'off',
        // WebSockets have 101. Another test asks that each operation has an answer.
        'operation-2xx-response': 'off',
      },
    })
    const source = JSON.stringify(await readDocument())
    const problems = await lintFromString({ source, config, absoluteRef: '/docs/json' })
    expect(
      problems.map(({ ruleId, message, location: [at] }) => [ruleId, message, at?.pointer]),
    ).toEqual([])
  })

  it('tells of every operation what it is, its parameters, who may, and how it fails', async () => {
    const { paths } = await readDocument()
    for (const [url, operations] of Object.entries(paths))
      for (const [method, operation] of Object.entries(operations)) {
        const where = `${method} ${url}`
        expect(operation.summary, where).toBeTruthy()
        expect(operation.tags, where).toHaveLength(1)
        expect(operation.security.length, where).toBe(isPublic(operation) ? 2 : 1)
        expect(operation.description, where).toMatch(/^Who may: .+\.$/u)
        const inPath = operation.parameters?.filter((parameter) => parameter.in === 'path') ?? []
        expect(inPath.map(({ name }) => `{${name}}`)).toEqual([...(url.match(/\{\w+\}/gu) ?? [])])
        const codes = Object.keys(operation.responses)
        expect(codes.length, where).toBeGreaterThan(1)
        for (const failure of ['4XX', '5XX'])
          expect(operation.responses[failure]?.content, where).toHaveProperty([
            'application/problem+json',
          ])
        for (const response of Object.values(operation.responses))
          expect(response.description, where).toBeTruthy()
      }
  })

  it('holds only schemas that can be used as they stand, which the answers fulfil', async () => {
    const { paths } = await readDocument()
    expect(JSON.stringify(paths)).not.toContain('"$ref"')
    const schemaOf = (url: string) =>
      paths[url]?.['get']?.responses['200']?.content?.['application/json']?.schema ?? {}
    const body = { name: 'mine', template: 'tiny', nodes: ['n1'] }
    await world.ask(world.red, 'PUT', routes.sliceEnsure, { body })
    const lists = [routes.nodes, routes.slices, routes.slivers, routes.templates, routes.groups]
    for (const url of [routes.base, ...lists, routes.users, routes.tokens, routes.whoami]) {
      const answer: unknown = (await world.ask(world.operator, 'GET', url)).json()
      const validator = Compile(schemaOf(url))
      expect([url, ...validator.Errors(answer)]).toEqual([url])
      expect(Array.isArray(answer) ? answer.length : 1).toBeGreaterThan(0)
    }
  })

  it('names every member that an answer may have, so that no other leaves the server', async () => {
    const { paths } = await readDocument()
    const open: string[] = []
    for (const [url, operations] of Object.entries(paths))
      for (const [method, { responses }] of Object.entries(operations))
        for (const [status, response] of Object.entries(responses))
          for (const [type, { schema }] of Object.entries(response.content ?? {}))
            if (type === 'application/json')
              open.push(...findOpen(schema, `${method} ${url} ${status}`))
    // What users name themselves: properties, the fields of points, the environments of programs; and the parts of the server.
    const maps = /\/(?:properties|parts|env|fields)$/u
    expect(open.filter((place) => !maps.test(place))).toEqual([])
  })

  it('is a page of its own, that loads from nowhere else', async () => {
    const redirected = await world.ask(null, 'GET', routes.docs)
    expect([redirected.statusCode, redirected.headers.location]).toEqual([302, './docs/'])
    const page = await world.ask(null, 'GET', `${routes.docs}/`)
    expect(page.headers['content-type']).toMatch(/^text\/html/u)
    expect(page.headers['content-security-policy']).toContain("default-src 'self'")
    const sources = [...page.body.matchAll(/(?:src|href)="([^"]+)"/gu)].map((match) => match[1])
    expect(sources.length).toBeGreaterThan(3)
    for (const source of sources) {
      expect(source).toMatch(/^\.\/static\//u)
      const url = `${routes.docs}/${source ?? ''}`
      expect((await world.ask(null, 'GET', url)).statusCode).toBe(200)
    }
  })
})

it('an answer has the members that its schema names, and no other', async () => {
  const app = Fastify()
  useContractSchemas(app)
  const agreement = {
    uri: '/api/agreements/1/',
    id: 1,
    text: 'Be kind.',
    published_on: '2026-05-04T12:00:00Z',
    secret: 'x',
  }
  const schema = { response: { 200: Type.Array(Agreement), 201: nullable(Agreement) } }
  app.get('/list', { schema }, () => [agreement])
  app.get('/made', { schema }, (_request, reply) => reply.code(201).send(agreement))
  const { secret: _, ...named } = agreement
  expect((await app.inject('/list')).json()).toEqual([named])
  expect((await app.inject('/made')).json()).toEqual(named)
  await app.close()
})

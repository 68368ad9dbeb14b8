import { LabError } from '@community-lab/contract'
import { expect, it } from 'vitest'
import { choosePort } from '../../../server/cli/src/process/port.ts'
import { freePort, holdPort } from '../../support/free-port.ts'

function sink() {
  const written: string[] = []
  return { err: { write: (text: string) => written.push(text) }, written }
}

it('is the usual one, or a free one with a sentence when that is in use', async () => {
  const usual = await freePort()
  const quiet = sink()
  expect(await choosePort(quiet, { asked: undefined, usual })).toBe(usual)
  expect(quiet.written).toEqual([])
  const { server, port } = await holdPort()
  const told = sink()
  const chosen = await choosePort(told, { asked: undefined, usual: port })
  expect(chosen).not.toBe(port)
  expect(told.written).toEqual([
    `port ${port} is in use: the server gets port ${chosen} (--port chooses another)\n`,
  ])
  const refused = choosePort(sink(), { asked: port }).catch((error: unknown) => error)
  expect(LabError.is(await refused, 'LAB_PORT_IN_USE')).toBe(true)
  server.close()
})

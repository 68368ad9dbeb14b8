import { fromProblem, LabError, toProblem } from '@community-lab/contract'
import { describe, expect, it } from 'vitest'

const error = new LabError('LAB_SLICE_NO_CAPACITY', {
  slice: 'first',
  resource: 'memory',
  asked: 4096,
  unit: 'MiB',
  largestFree: 2048,
  node: 'n3',
  onNode: 'n1',
  short: [{ node: 'n1', free: 512 }],
  fits: 512,
  otherNodes: ['n4'],
})

describe('an error', () => {
  it('says what failed, on what, what was found and what to do', () => {
    expect(error.message).toBe(
      'slice "first": node n1 cannot give 4096 MiB of memory (largest free: 2048 MiB on n3; n1 has 512); ask for 512 MiB at most, or use others: n4 has room',
    )
    expect([error.name, error.status, error.retryable]).toEqual(['LabError', 409, false])
  })

  it('advises what fits the server that cannot be reached, and why', () => {
    const advice = (url: string, reason = 'connect ECONNREFUSED') =>
      new LabError('LAB_CONNECTION_FAILED', { url, reason, attempts: 1 }).message.split('); ')[1]
    const status = 'is the testbed running? `npx community-lab vct status` tells'
    const near = ['http://127.0.0.1:8080/api/', 'http://localhost:8888/communitylab/']
    for (const url of [...near, 'wss://[::1]:1/', 'unix:/home/ada/.community-lab/server.sock'])
      expect([url, advice(url)]).toEqual([url, status])
    const far = 'check the address and your connection, or ask the operators of the testbed'
    for (const url of ['https://lab.example/api/', 'https://127.lab.example/', 'not a URL'])
      expect([url, advice(url)]).toEqual([url, far])
    const own = 'set NODE_EXTRA_CA_CERTS to the file of its certificate before the program starts'
    for (const reason of [
      'self-signed certificate',
      'self-signed certificate in certificate chain',
      'unable to verify the first certificate',
      'unable to get local issuer certificate',
    ])
      expect(advice('https://127.0.0.1:8443/', reason)).toContain(own)
    const expired = advice('https://lab.example/', 'certificate has expired')
    expect(expired).toBe('its certificate is not valid: tell its operators')
    const altnames = "Hostname/IP does not match certificate's altnames: Host: lab."
    expect(advice('https://lab/', altnames)).toContain('use the name that its certificate has')
  })

  it('says how a cell that starts a run takes it when it is executed again', () => {
    const run = { slice: 'crawl', run: 'ticks', member: 'start_at' }
    expect(new LabError('LAB_RUN_EXISTS', run).message).toBe(
      'slice crawl has a run ticks already, which differs in its start time; choose another name, or take the run that there is (in a notebook: lab.runs.get("ticks", { slice: "crawl" }))',
    )
  })

  it('is the same after the wire', () => {
    const wire: unknown = JSON.parse(JSON.stringify(toProblem(error, 'req-7')))
    expect(wire).toMatchObject({
      title: 'LAB_SLICE_NO_CAPACITY',
      status: 409,
      detail: error.message,
      requestId: 'req-7',
    })
    const again = fromProblem(wire as ReturnType<typeof toProblem>)
    expect(LabError.is(again, 'LAB_SLICE_NO_CAPACITY')).toBe(true)
    expect([again.details, again.message, again.requestId]).toEqual([
      error.details,
      error.message,
      'req-7',
    ])
  })

  it('of a newer server keeps its sentence', () => {
    const problem = { ...toProblem(error, 'req-7'), code: 'LAB_FROM_TOMORROW' }
    const read = fromProblem(problem)
    expect([read.code, read.message]).toEqual(['LAB_SERVER_INTERNAL', error.message])
  })

  it('is recognised whichever copy of the package made it, and nothing else is', () => {
    expect(LabError.is(error, 'LAB_NOT_FOUND', 'LAB_SLICE_NO_CAPACITY')).toBe(true)
    expect(LabError.is(error, 'LAB_NOT_FOUND')).toBe(false)
    for (const other of [new Error('x'), { code: 'LAB_NOT_FOUND' }, null, 'LAB_NOT_FOUND'])
      expect(LabError.is(other)).toBe(false)
  })
})

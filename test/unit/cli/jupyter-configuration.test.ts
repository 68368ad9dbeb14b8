import { expect, it } from 'vitest'
import {
  jupyterEnvironment,
  jupyterFolders,
  labConfiguration,
  labUrl,
} from '../../../server/cli/src/jupyter/configuration.ts'

it('addresses a notebook whatever its name has in it', () => {
  expect(labUrl(8888, 'abc', 'notebooks/01 first#.ipynb')).toBe(
    'http://127.0.0.1:8888/lab/tree/notebooks/01%20first%23.ipynb?token=abc',
  )
  expect(labUrl(8888, 'abc', null)).toBe('http://127.0.0.1:8888/lab?token=abc')
})

it('keeps everything that Jupyter writes in the data folder', () => {
  const environment = jupyterEnvironment(jupyterFolders('/home/x/jupyter'), '/checkout')
  const written = Object.entries(environment).filter(([name]) => name.endsWith('_DIR'))
  expect(written).toHaveLength(5)
  for (const [, folder] of written) expect(folder).toMatch(/^\/home\/x\/jupyter\//u)
})

it('listens on this machine alone, and hands no cookie of JupyterLab to the server', () => {
  const options = { port: 1, rootDir: '/r', serverSocket: '/s.sock', root: false }
  expect(labConfiguration(options)).toMatchObject({
    ServerApp: { ip: '127.0.0.1', port_retries: 0, allow_root: false },
    ServerProxy: {
      servers: {
        communitylab: { unix_socket: '/s.sock', request_headers_override: { Cookie: '' } },
      },
    },
  })
})

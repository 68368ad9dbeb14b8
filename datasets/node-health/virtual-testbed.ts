import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'

const checkout = resolve(import.meta.dirname, '../..')

/** A virtual testbed in a folder of its own, until it is disposed of. */
export interface OwnTestbed extends AsyncDisposable {
  readonly credentialsFile: string
}

/** Start one as `npm start` does, and tell of its progress. `env` are settings of its parts. */
export async function startVirtualTestbed(
  home: string,
  { nodes, env }: { readonly nodes: number; readonly env: Readonly<Record<string, string>> },
): Promise<OwnTestbed> {
  const args = ['up', '--foreground', '--home', home, '--nodes', `${nodes}`, '--port', '18089']
  const template = join(checkout, '.community-lab/templates/tiny.tar.gz')
  const program = join(checkout, 'server/vct/dist/main.bundle.js')
  const child = spawn(process.execPath, [program, ...args, '--template', template], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const ended = once(child, 'exit')
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line)
    const document = JSON.parse(line) as { ready?: { credentialsFile: string } }
    if (document.ready === undefined) continue
    child.stdout.resume()
    return {
      credentialsFile: document.ready.credentialsFile,
      async [Symbol.asyncDispose]() {
        child.kill('SIGTERM')
        await ended
      },
    }
  }
  throw new Error('the virtual testbed did not come up')
}

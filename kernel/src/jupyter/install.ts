import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { allocatorSettings } from './allocator.ts'
import { displayName, kernelName } from './identity.ts'

const checkout = fileURLToPath(new URL('../../../', import.meta.url))
const logos = ['logo-svg.svg', 'logo-32x32.png', 'logo-64x64.png'] as const

/** Write the kernel's kernelspec folder into a folder of kernels. Returns its path. Writing it again changes nothing. */
export function installKernel(kernels: string): string {
  const folder = join(kernels, kernelName)
  mkdirSync(folder, { recursive: true })
  // The checkout installs its own Node. Without it, use the Node that runs this.
  const own = join(checkout, 'node_modules', '.bin', 'node')
  const spec = {
    argv: [
      existsSync(own) ? own : process.execPath,
      join(checkout, 'kernel', 'dist', 'jupyter', 'main.js'),
      '--connection-file',
      '{connection_file}',
    ],
    display_name: displayName,
    language: 'typescript',
    interrupt_mode: 'message',
    env: allocatorSettings,
    metadata: { debugger: false },
  }
  writeFileSync(join(folder, 'kernel.json'), `${JSON.stringify(spec, null, 2)}\n`)
  for (const logo of logos)
    copyFileSync(join(checkout, 'kernel', 'src', 'jupyter', 'logo', logo), join(folder, logo))
  return folder
}

if (import.meta.main) {
  const [, , kernels] = process.argv
  if (kernels === undefined) {
    console.error('usage: install.js FOLDER-OF-KERNELS')
    process.exitCode = 2
  } else console.log(installKernel(kernels))
}

import { enableCompileCache } from 'node:module'
import process from 'node:process'
import { allocatorSettings } from './allocator.ts'
import { Compiler } from './compile/compiler.ts'

/*
 * The kernel's process: `node main.js --connection-file FILE`, as in kernel.json. The compiler thread takes longest to start, so it starts before the Jupyter
 * modules are loaded.
 */
enableCompileCache()
// Cells, and programs that they start, use the C library with its defaults.
for (const name of Object.keys(allocatorSettings)) Reflect.deleteProperty(process.env, name)
const compiler = new Compiler({ folder: process.cwd(), fallbackFile: import.meta.filename })
const { fail, serve } = await import('./serve.ts')
serve(compiler).catch((error: unknown) => {
  fail(error)
  process.exit()
})

import { enableCompileCache } from 'node:module'
import process from 'node:process'
import { allocatorVariable } from './allocator.ts'
import { Compiler } from './compile/compiler.ts'

/*
 * The kernel's process: `node main.js --connection-file FILE`, as kernel.json has it. The thread that compiles takes longest to be ready: it starts before the
 * modules are loaded that speak with Jupyter.
 */
enableCompileCache()
// Cells, and programs that they start, use the C library as they would elsewhere.
Reflect.deleteProperty(process.env, allocatorVariable)
const compiler = new Compiler({ folder: process.cwd(), fallbackFile: import.meta.filename })
const { fail, serve } = await import('./serve.ts')
serve(compiler).catch((error: unknown) => {
  fail(error)
  process.exit()
})

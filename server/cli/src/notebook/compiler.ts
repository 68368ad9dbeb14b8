import { createRequire } from 'node:module'
import type typescript from 'typescript'

/**
 * TypeScript's compiler. It is required, not imported: an import would be loaded with every command, however the program is bundled, and this one takes a
 * fifth of a second.
 */
export const compiler = createRequire(import.meta.url)('typescript') as typeof typescript

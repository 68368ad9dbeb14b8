import { createRequire } from 'node:module'
import type typescript from 'typescript'

/**
 * TypeScript's compiler. It is loaded by `require`, because a bundle with an import of it would load it with every command, which takes a
 * fifth of a second.
 */
export const compiler = createRequire(import.meta.url)('typescript') as typeof typescript

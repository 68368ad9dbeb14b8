import { adviceForModule } from '../compile/missing-module.ts'
import { isPath } from './specifier.ts'

/** Tell whether an error says that the package itself is missing. Users see other errors, such as that of a path that the package does not export. */
export function isMissing(error: unknown, id: string): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false
  const name = id
    .split('/')
    .slice(0, id.startsWith('@') ? 2 : 1)
    .join('/')
  return (
    (error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'MODULE_NOT_FOUND') &&
    error.message.includes(`'${name}`)
  )
}

/**
 * Describe the error of a module that could not be resolved, for the user: without the files from which the kernel resolves modules, and with advice. Other errors
 * stay as they are.
 */
export function describeUnresolved(
  error: unknown,
  id: string,
  kernelFiles: readonly string[],
): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error
  const lines = error.message.split('\n').flatMap((line) => {
    if (kernelFiles.some((file) => line === `- ${file}`)) return []
    return kernelFiles.reduce((text, file) => text.replace(` imported from ${file}`, ''), line)
  })
  const told = lines.at(-1) === 'Require stack:' ? lines.slice(0, -1) : lines
  const advice = isMissing(error, id) && !isPath(id) ? adviceForModule(id) : null
  const message = [...told, ...(advice === null ? [] : [`  ${advice}`])].join('\n')
  if (message === error.message) return error
  const { stack } = error
  if (stack !== undefined) error.stack = stack.replace(error.message, () => message)
  error.message = message
  // It lists the same files as the message.
  Reflect.deleteProperty(error, 'requireStack')
  return error
}

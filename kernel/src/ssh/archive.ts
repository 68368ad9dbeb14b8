import { quotePath } from './quote.ts'

/** Return the command that unpacks an archive from its standard input into a folder, which is made if it does not exist. */
export function unpackCommand(folder: string): string {
  const at = quotePath(folder)
  return `mkdir -p ${at} && tar -x -p -f - -C ${at}`
}

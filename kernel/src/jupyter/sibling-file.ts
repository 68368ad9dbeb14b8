/** Return the URL of a module beside another one: `.ts` if the other one is source, `.js` if it is built. `name` is the path without the extension. */
export function siblingFile(moduleUrl: string, name: string): URL {
  return new URL(`./${name}${moduleUrl.endsWith('.ts') ? '.ts' : '.js'}`, moduleUrl)
}

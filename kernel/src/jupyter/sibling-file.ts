/** The URL of a module beside another one, built or as source: both are run. `name` is its path without the extension. */
export function siblingFile(moduleUrl: string, name: string): URL {
  return new URL(`./${name}${moduleUrl.endsWith('.ts') ? '.ts' : '.js'}`, moduleUrl)
}

/** Give advice for a module that is not found; null for paths and modules of Node. */
export function adviceForModule(specifier: string): string | null {
  const [, scheme = '', rest = ''] = /^([a-z]{2,}):(.*)$/u.exec(specifier) ?? []
  switch (scheme) {
    case '':
      return /^[./]/u.test(specifier)
        ? null
        : `Is it installed? npm install ${packageOf(specifier)}`
    case 'npm':
      return `Cells import packages by their names alone: '${packageOf(rest)}'. Is it installed? npm install ${packageOf(rest)}`
    case 'jsr':
      return `Cells import packages by their names alone: '${packageOf(rest)}'. Is it installed? npx jsr add ${packageOf(rest)}`
    case 'http':
    case 'https':
      return 'Cells import nothing from the network. Install the package with npm, or save the file beside the notebook and import that.'
    default:
      return null
  }
}

/** Return the name of the package in a specifier, without a path and a version. */
function packageOf(specifier: string): string {
  return /^\/?((?:@[^/]+\/)?[^@/]+)/u.exec(specifier)?.[1] ?? specifier
}

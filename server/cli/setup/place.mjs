// @ts-check

/** @typedef {{ mark: RegExp, shown: string, reason: string }} UnusablePlace */

/** Characters in a path that have another meaning for other programs. @type {readonly UnusablePlace[]} */
const unusable = [
  {
    mark: /[[*?]/u,
    shown: '[, * or ?',
    reason: 'Jupyter takes it for a pattern, and finds no kernel, panel or setting below it',
  },
  { mark: /:/u, shown: 'a colon', reason: 'it separates folders in PATH' },
  { mark: /\p{Cc}/u, shown: 'a control character', reason: 'no line of a file can name it' },
]

/**
 * Say why a checkout cannot be used in a folder; null when it can. Blanks, letters of any language and long names are allowed.
 * @param {string} root the checkout, absolute
 */
export function placeComplaint(root) {
  const found = unusable.find(({ mark }) => mark.test(root))
  if (found === undefined) return null
  return `its path, ${JSON.stringify(root)}, has ${found.shown} in it, and ${found.reason}; move or clone it to a folder without, and run the same command there`
}

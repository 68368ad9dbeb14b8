// @ts-check

/** @typedef {{ mark: RegExp, shown: string, reason: string }} UnusablePlace */

/** Characters of a path that something which is not ours takes for something else. @type {readonly UnusablePlace[]} */
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
 * What to say of a folder in which a checkout cannot be used; null when it will do. Blanks, letters of any language and long names will do.
 * @param {string} root the checkout, absolute
 */
export function placeComplaint(root) {
  const found = unusable.find(({ mark }) => mark.test(root))
  if (found === undefined) return null
  return `its path, ${JSON.stringify(root)}, has ${found.shown} in it, and ${found.reason}; move or clone it to a folder without, and run the same command there`
}

/** The `aria-label` of a note below a drawing. */
export const noteLabel = 'note'

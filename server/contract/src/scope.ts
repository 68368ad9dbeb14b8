/** The `scope` of a slice's measurements. */
export function sliceScope(sliceId: number): string {
  return `slice-${sliceId}`
}

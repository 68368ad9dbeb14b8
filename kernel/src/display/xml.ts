/** Write a DOM element as XML. HTML allows names and characters that XML does not, and an SVG that has one of them is not drawn at all. */
export function toXml(element: Element): string {
  return element.outerHTML
    .toWellFormed()
    .replaceAll('&nbsp;', '&#160;')
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/gu, '\ufffd')
}

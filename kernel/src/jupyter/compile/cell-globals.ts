/** The modules that {@link cellGlobals} declares and that the kernel provides without a package. */
export const builtInModules: ReadonlySet<string> = new Set(['tslab', 'community-lab:jupyter'])

/**
 * Declarations for TypeScript of what cells have in addition to Node: `prompt`, comms, the interface of tslab, and the part of the DOM that figures use.
 *
 * Source: tslab 1.0.22, public.ts, for the module.
 */
export const cellGlobals = `
/** Ask the person at the notebook, and wait for the answer. */
declare function prompt(text?: unknown): string

/** A large object of a JSON file whose members have the same few shapes. There may be no member of a name, so what a name gives may be undefined.
 * Object.values and Object.entries give only what is there. */
interface JsonDictionary<T> { [name: string]: T | undefined; readonly [Symbol.unscopables]: undefined }
interface ObjectConstructor { values<T>(dictionary: JsonDictionary<T>): T[]; entries<T>(dictionary: JsonDictionary<T>): [string, T][] }

interface Node { readonly ownerDocument: Document | null; readonly nodeName: string; textContent: string | null; readonly childNodes: ArrayLike<Node>
  readonly firstChild: Node | null; readonly parentNode: Node | null; appendChild<T extends Node>(node: T): T; removeChild<T extends Node>(node: T): T
  cloneNode(deep?: boolean): Node }
interface Element extends Node { id: string; className: string; innerHTML: string; readonly outerHTML: string; readonly tagName: string
  readonly children: ArrayLike<Element>; readonly firstElementChild: Element | null; getAttribute(name: string): string | null
  setAttribute(name: string, value: string): void; removeAttribute(name: string): void; hasAttribute(name: string): boolean
  querySelector<T extends Element = Element>(selectors: string): T | null; querySelectorAll<T extends Element = Element>(selectors: string): ArrayLike<T> & Iterable<T>
  append(...nodes: (Node | string)[]): void; prepend(...nodes: (Node | string)[]): void; replaceWith(...nodes: (Node | string)[]): void; remove(): void }
interface HTMLElement extends Element { style: CSSStyleDeclaration }
interface SVGElement extends Element { style: CSSStyleDeclaration }
interface SVGSVGElement extends SVGElement {}
interface SVGMarkerElement extends SVGElement {}
interface CSSStyleDeclaration { cssText: string; getPropertyValue(name: string): string; setProperty(name: string, value: string | null, priority?: string): void }
interface Document extends Node { readonly documentElement: HTMLElement; createElement(name: string): HTMLElement; createElementNS(namespace: string | null, name: string): Element
  createTextNode(text: string): Node }
interface Window { readonly document: Document }

declare module 'community-lab:jupyter' {
  /** A conversation between a cell and the page. */
  export interface Comm {
    readonly id: string
    /** What it is about: the name under which the other side takes it. */
    readonly target: string
    /** Send any JSON to the page, and bytes beside it. */
    send(data: unknown, buffers?: readonly Uint8Array[]): void
    /** End the conversation. */
    close(data?: unknown): void
    /** Called with what the page sends: JSON, and bytes beside it. */
    onMessage(listener: (data: any, buffers: readonly Uint8Array[]) => void): void
    /** Called when the page has ended it. */
    onClose(listener: (data: any) => void): void
  }
  /** Take the conversations that the page opens under this name. */
  export function registerTarget(name: string, open: (comm: Comm, data: any, buffers: readonly Uint8Array[]) => void): void
  /** Open a conversation with what in the page has this name. */
  export function openComm(target: string, data?: unknown, buffers?: readonly Uint8Array[]): Comm
}

declare module 'tslab' {
  /** Shows data in the cell's output, by type. */
  export interface Display {
    javascript(text: string): void
    html(text: string): void
    markdown(text: string): void
    latex(text: string): void
    svg(text: string): void
    png(data: Uint8Array): void
    jpeg(data: Uint8Array): void
    gif(data: Uint8Array): void
    pdf(data: Uint8Array): void
    text(text: string): void
    /** Show data of any MIME type. */
    raw(contentType: string, data: string | Uint8Array): unknown
  }
  export const display: Display
  /** A place in the cell's output whose content can be replaced. */
  export function newDisplay(): Display
  /** The versions of tslab, of TypeScript and of Node. */
  export const versions: { readonly tslab: string; readonly typescript: string; readonly node: string }
}
`

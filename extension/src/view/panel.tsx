import { LabIcon, ReactWidget } from '@jupyterlab/ui-components'
import type { Message } from '@lumino/messaging'
import React from 'react'
import type { TestbedView } from '../model/testbed.ts'
import { Tree } from './tree.tsx'

/** The icon of the panel: three nodes of a mesh. */
export const testbedIcon = new LabIcon({
  name: 'community-lab:testbed',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">
  <g class="jp-icon3" fill="#616161"><circle cx="3.5" cy="12" r="2.2"/><circle cx="12.5" cy="12" r="2.2"/><circle cx="8" cy="3.8" r="2.2"/>
  <path d="M4.4 10.4 6.9 5.8l.9.5-2.500 4.600zm7.200 0L9.100 5.800l-.9.500 2.500 4.600zM5.600 11.500h4.800v1H5.600z"/></g></svg>`,
})

/** The Testbed panel. {@link TestbedPanel.showView} sets the view that it shows. `onRetry` is called when the user asks to connect again. */
export class TestbedPanel extends ReactWidget {
  #view: TestbedView = { connection: { state: 'connecting' }, board: null }
  #baseUrl = ''
  readonly #onRetry: () => void

  constructor(onRetry: () => void) {
    super()
    this.#onRetry = onRetry
    this.id = 'community-lab-testbed'
    this.title.icon = testbedIcon
    this.title.caption = 'Testbed'
    this.addClass('cl-widget')
    // The panel gets the focus when it is opened by the keyboard. Then Tab moves to its slices, and the arrow keys scroll it.
    this.node.tabIndex = -1
  }

  protected override onActivateRequest(): void {
    // Wait for a frame, because the command palette returns the focus to the document that had it before.
    requestAnimationFrame(() => {
      this.node.focus()
    })
  }

  // Draw a panel that is hidden, or is in a hidden tab, only when it becomes visible.
  protected override onUpdateRequest(message: Message): void {
    if (this.isVisible && !document.hidden) super.onUpdateRequest(message)
  }

  protected override onAfterShow(): void {
    this.update()
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message)
    document.addEventListener('visibilitychange', this.#onSeen)
  }

  protected override onBeforeDetach(message: Message): void {
    document.removeEventListener('visibilitychange', this.#onSeen)
    super.onBeforeDetach(message)
  }

  readonly #onSeen = (): void => {
    this.update()
  }

  /** Show the view of the testbed at a base URL. */
  showView(view: TestbedView, baseUrl: string): void {
    this.#view = view
    this.#baseUrl = baseUrl
    this.update()
  }

  protected override render(): React.JSX.Element {
    const { connection, board } = this.#view
    const stale = connection.state === 'live' ? '' : ' cl-stale'
    return (
      <div className={`cl-panel${stale}`} data-connection={connection.state}>
        <Status view={this.#view} baseUrl={this.#baseUrl} onRetry={this.#onRetry} />
        {board === null ? <NotYet view={this.#view} /> : <Tree board={board} />}
      </div>
    )
  }
}

function Status({
  view,
  baseUrl,
  onRetry,
}: {
  readonly view: TestbedView
  readonly baseUrl: string
  readonly onRetry: () => void
}): React.JSX.Element {
  const { connection } = view
  const tone = { live: 'good', connecting: 'busy', lost: 'bad' }[connection.state]
  return (
    <div className="cl-status" role="status" title={baseUrl}>
      <span className="cl-dot" data-tone={tone} aria-hidden="true" />
      <span className="cl-status-text">{sentenceOf(view)}</span>
      {connection.state === 'lost' && (
        <button type="button" className="cl-button" onClick={onRetry}>
          Retry now
        </button>
      )}
    </div>
  )
}

function sentenceOf({ connection, board }: TestbedView): string {
  switch (connection.state) {
    case 'live':
      return 'Live'
    case 'connecting':
      return 'Connecting …'
    case 'lost': {
      const at = new Date(connection.retryAt).toLocaleTimeString()
      const kept = board === null ? '' : ' What is shown is from before.'
      return `Lost the testbed: ${connection.reason}. Trying again at ${at}.${kept}`
    }
  }
}

function NotYet({ view }: { readonly view: TestbedView }): React.JSX.Element {
  if (view.connection.state !== 'lost') return <p className="cl-empty">Reading the testbed …</p>
  return (
    <p className="cl-empty">
      No testbed answers. Start one on this machine with <code>npm start</code>, or give the URL of
      another under Settings → Testbed.
    </p>
  )
}

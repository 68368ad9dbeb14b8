import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin,
} from '@jupyterlab/application'
import { ICommandPalette } from '@jupyterlab/apputils'
import { URLExt } from '@jupyterlab/coreutils'
import { ILauncher } from '@jupyterlab/launcher'
import { ServerConnection } from '@jupyterlab/services'
import { ISettingRegistry } from '@jupyterlab/settingregistry'
import { placeOf, type Place } from './model/place.ts'
import { followShared, type Following } from './model/shared.ts'
import { TestbedPanel, testbedIcon } from './view/panel.tsx'

const pluginId = '@community-lab/jupyterlab:plugin'

/** The commands of this extension. */
const commandIds = { open: 'community-lab:open-testbed' } as const

/** The plugin that adds the Testbed panel to the left side bar. */
const plugin: JupyterFrontEndPlugin<void> = {
  id: pluginId,
  description: 'Shows the nodes, slices and slivers of a Community-Lab testbed, live.',
  autoStart: true,
  optional: [ILayoutRestorer, ICommandPalette, ILauncher, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    settingRegistry: ISettingRegistry | null,
  ) => {
    let following: Following | null = null
    const panel = new TestbedPanel(() => {
      following?.retry()
    })
    const follow = (place: Place) => {
      following?.stop()
      following = followShared(place, (view) => {
        panel.showView(view, place.baseUrl)
      })
    }
    panel.disposed.connect(() => {
      following?.stop()
    })

    app.shell.add(panel, 'left', { rank: 150, type: 'Testbed' })
    restorer?.add(panel, panel.id)
    app.commands.addCommand(commandIds.open, {
      label: 'Testbed',
      caption: 'Show the nodes, slices and slivers of the testbed',
      icon: testbedIcon,
      execute: () => {
        app.shell.activateById(panel.id)
      },
      describedBy: { args: { type: 'object', properties: {} } },
    })
    palette?.addItem({ command: commandIds.open, category: 'Community-Lab' })
    launcher?.add({ command: commandIds.open, category: 'Other', rank: 1 })

    if (settingRegistry === null) follow({ baseUrl: defaultBaseUrl(), token: '' })
    else void followSettings(settingRegistry, follow)
  },
}

export default plugin

/** Return the URL of the testbed beside this JupyterLab, whose proxy forwards it to the socket of the testbed's server. */
function defaultBaseUrl(): string {
  return URLExt.join(ServerConnection.makeSettings().baseUrl, 'communitylab').replace(/\/+$/u, '')
}

async function followSettings(
  registry: ISettingRegistry,
  onPlace: (place: Place) => void,
): Promise<void> {
  try {
    const settings = await registry.load(pluginId)
    let last = ''
    const read = () => {
      const place = placeOf(settings.composite, defaultBaseUrl())
      // This is called for each setting that is saved. Do not reconnect when the address and the token are unchanged.
      if (JSON.stringify(place) === last) return
      last = JSON.stringify(place)
      onPlace(place)
    }
    settings.changed.connect(read)
    read()
  } catch (error) {
    // The schema is missing when only the built files were copied. The default address still works.
    console.warn('Testbed panel: its settings cannot be read, the defaults are used', error)
    onPlace({ baseUrl: defaultBaseUrl(), token: '' })
  }
}

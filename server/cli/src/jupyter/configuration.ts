/** JupyterLab's folders. All are in the testbed's data folder, so a user's own Jupyter does not change. */
export type JupyterFolders = Readonly<
  Record<'config' | 'data' | 'runtime' | 'settings' | 'workspaces' | 'ipython', string>
>

/** Return Jupyter's folders. `jupyter` is their parent in the data folder. */
export function jupyterFolders(jupyter: string): JupyterFolders {
  return {
    config: `${jupyter}/config`,
    data: `${jupyter}/data`,
    runtime: `${jupyter}/runtime`,
    settings: `${jupyter}/settings`,
    workspaces: `${jupyter}/workspaces`,
    ipython: `${jupyter}/ipython`,
  }
}

/** Return the environment variables of JupyterLab and its kernels. Kernels and the panel are in the checkout's `.venv`. */
export function jupyterEnvironment(
  folders: JupyterFolders,
  checkout: string,
): Readonly<Record<string, string>> {
  return {
    JUPYTER_CONFIG_PATH: folders.config,
    JUPYTER_CONFIG_DIR: folders.config,
    JUPYTER_PATH: `${checkout}/.venv/share/jupyter`,
    JUPYTER_DATA_DIR: folders.data,
    JUPYTER_RUNTIME_DIR: folders.runtime,
    JUPYTERLAB_SETTINGS_DIR: folders.settings,
    JUPYTERLAB_WORKSPACES_DIR: folders.workspaces,
    JUPYTER_PLATFORM_DIRS: '1',
    IPYTHONDIR: folders.ipython,
  }
}

/** The options of {@link labConfiguration}. */
export interface LabConfigurationOptions {
  readonly port: number
  /** The folder that JupyterLab shows. */
  readonly rootDir: string
  /** The server's Unix socket. JupyterLab forwards `/communitylab/` to it. */
  readonly serverSocket: string
  readonly root: boolean
}

/**
 * Return `jupyter_lab_config.json`. JupyterLab listens on this machine only, sends no requests to the internet, and forwards requests to the testbed's server
 * from its own origin.
 */
export function labConfiguration(options: LabConfigurationOptions): object {
  return {
    ServerApp: {
      ip: '127.0.0.1',
      port: options.port,
      port_retries: 0,
      open_browser: false,
      allow_root: options.root,
      root_dir: options.rootDir,
      answer_yes: true,
    },
    LabApp: {
      news_url: null,
      check_for_updates_class: 'jupyterlab.NeverCheckForUpdate',
      extension_manager: 'readonly',
    },
    // By default, Jupyter drops output faster than 1 MB/s. The kernel limits the output of a cell itself.
    ZMQChannelsWebsocketConnection: { limit_rate: false },
    MultiKernelManager: { default_kernel_name: 'communitylab' },
    ServerProxy: {
      servers: {
        communitylab: {
          unix_socket: options.serverSocket,
          launcher_entry: { enabled: false },
          // The testbed's server must not get JupyterLab's cookies.
          request_headers_override: { Cookie: '' },
        },
      },
    },
  }
}

/** `labconfig/default_setting_overrides.json` turns off news and checks for updates. */
export const settingOverrides = {
  '@jupyterlab/apputils-extension:notification': { fetchNews: 'false', checkForUpdates: false },
} as const

/** Return the URL of a page of JupyterLab: a notebook in its folder, or its launcher. */
export function labUrl(port: number, token: string, notebook: string | null): string {
  const path =
    notebook === null ? '' : `/tree/${notebook.split('/').map(encodeURIComponent).join('/')}`
  return `http://127.0.0.1:${port}/lab${path}?token=${token}`
}

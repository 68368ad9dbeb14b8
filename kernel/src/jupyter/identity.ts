import { protocolVersion, type Json } from './wire/message.ts'

/** The version of TypeScript that cells are written in. It is that of this package's dependency; a test holds that. */
export const typescriptVersion = '5.9.3'

/** The kernel's name in Jupyter, that of its folder. */
export const kernelName = 'communitylab'
/** What Jupyter calls it in its menus. */
export const displayName = 'TypeScript (Community-Lab)'

/** The answer to a kernel_info_request. */
export function kernelInfo(): Json {
  return {
    status: 'ok',
    protocol_version: protocolVersion,
    implementation: 'community-lab',
    implementation_version: '0.1.0',
    language_info: {
      name: 'typescript',
      version: typescriptVersion,
      mimetype: 'text/typescript',
      file_extension: '.ts',
      pygments_lexer: 'typescript',
      codemirror_mode: { name: 'javascript', typescript: true },
    },
    banner: `Community-Lab: TypeScript on Node ${process.version}`,
    debugger: false,
    help_links: [
      { text: 'TypeScript', url: 'https://www.typescriptlang.org/docs/' },
      { text: 'Observable Plot', url: 'https://observablehq.com/plot/' },
    ],
    supported_features: [],
  }
}

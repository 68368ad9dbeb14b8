import { protocolVersion, type Json } from './wire/message.ts'

/** The version of TypeScript in which cells are written. A test checks that this package depends on the same version. */
export const typescriptVersion = '5.9.3'

/** The kernel's name in Jupyter, which is the name of its folder. */
export const kernelName = 'communitylab'
/** The kernel's name in Jupyter's menus. */
export const displayName = 'TypeScript (Community-Lab)'

/** Make the content of a kernel_info_reply. */
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

import Type, { type Static } from 'typebox'

/** The credentials file: which testbed, and the token for it. Mode 0600. `credentials.ts` says where it is looked for. */
export const Credentials = Type.Object({
  url: Type.String({ description: 'base URL of the server, http(s)' }),
  token: Type.String(),
  vct_socket: Type.Optional(
    Type.String({ description: "a virtual testbed's control socket, on this machine" }),
  ),
})
export type Credentials = Static<typeof Credentials>

import Type, { type Static } from 'typebox'

/** The credentials file: the address of a testbed and the token for it. Mode 0600. `credentials.ts` says where it is searched. */
export const Credentials = Type.Object({
  url: Type.String({ description: 'base URL of the server, http(s)' }),
  token: Type.String(),
  vct_socket: Type.Optional(
    Type.String({ description: "a virtual testbed's control socket, on this machine" }),
  ),
})
export type Credentials = Static<typeof Credentials>

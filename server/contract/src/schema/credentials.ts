import Type, { type Static } from 'typebox'

/** The credentials file: the address of a testbed and the token for it. A virtual testbed adds a name and a password, for programs that log in by these. Mode 0600. `credentials.ts` says where it is searched. */
export const Credentials = Type.Object({
  url: Type.String({ description: 'base URL of the server, http(s)' }),
  token: Type.String(),
  username: Type.Optional(Type.String()),
  password: Type.Optional(Type.String()),
  vct_socket: Type.Optional(
    Type.String({ description: "a virtual testbed's control socket, on this machine" }),
  ),
})
export type Credentials = Static<typeof Credentials>

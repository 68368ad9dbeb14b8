import Type, { type Static } from 'typebox'

/**
 * The credentials file: which testbed, and the token for it. Mode 0600. Found at COMMUNITY_LAB_CREDENTIALS, else at
 * `$XDG_CONFIG_HOME/community-lab/credentials.json`. COMMUNITY_LAB_URL and COMMUNITY_LAB_TOKEN outrank it.
 */
export const Credentials = Type.Object(
  {
    url: Type.String({ description: 'base URL of the server, http(s)' }),
    token: Type.String(),
    vct_socket: Type.Optional(
      Type.String({ description: "a virtual testbed's control socket, on this machine" }),
    ),
  },
  { additionalProperties: false },
)
export type Credentials = Static<typeof Credentials>

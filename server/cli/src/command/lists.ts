import { Group, Host, Island, Node, routes, Server, Slice, User } from '@community-lab/contract'
import Type from 'typebox'
import type { Client } from '../http/client.ts'

/** List all groups, in the order of their ids. */
export async function listGroups(client: Client): Promise<readonly Group[]> {
  return inOrder(await client.ask(Type.Array(Group), routes.groups))
}

/** List all hosts, in the order of their ids. */
export async function listHosts(client: Client): Promise<readonly Host[]> {
  return inOrder(await client.ask(Type.Array(Host), routes.hosts))
}

/** List all islands, in the order of their ids. */
export async function listIslands(client: Client): Promise<readonly Island[]> {
  return inOrder(await client.ask(Type.Array(Island), routes.islands))
}

/** List all nodes, in the order of their ids. */
export async function listNodes(client: Client): Promise<readonly Node[]> {
  return inOrder(await client.ask(Type.Array(Node), routes.nodes))
}

/** List all servers, in the order of their ids. */
export async function listServers(client: Client): Promise<readonly Server[]> {
  return inOrder(await client.ask(Type.Array(Server), routes.servers))
}

/** List all slices, in the order of their ids. */
export async function listSlices(client: Client): Promise<readonly Slice[]> {
  return inOrder(await client.ask(Type.Array(Slice), routes.slices))
}

/** List all users, in the order of their ids. */
export async function listUsers(client: Client): Promise<readonly User[]> {
  return inOrder(await client.ask(Type.Array(User), routes.users))
}

function inOrder<T extends { readonly id: number }>(objects: readonly T[]): readonly T[] {
  return objects.toSorted((a, b) => a.id - b.id)
}

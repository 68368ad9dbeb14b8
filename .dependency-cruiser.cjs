/** The arrows of the house: contract <- {server, agent, kernel, extension}; those four never import each other. */
const sides = ['server', 'server/vct', 'server/cli', 'agent', 'kernel', 'extension']
const own = {
  server: '^server/(src|dist)/',
  'server/vct': '^server/vct/',
  'server/cli': '^server/cli/',
  agent: '^agent/',
  kernel: '^kernel/',
  extension: '^extension/',
}
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    ...sides.map((side) => ({
      name: `${side.replace('/', '-')}-imports-only-the-contract`,
      severity: 'error',
      from: { path: own[side] },
      to: { path: sides.filter((other) => other !== side).map((other) => own[other]) },
    })),
    {
      name: 'contract-imports-nothing-of-the-house',
      severity: 'error',
      from: { path: '^server/contract/src/' },
      to: { path: '^(server/(src|dist|vct|cli)|agent|kernel|extension)/' },
    },
    {
      name: 'notebook-and-panel-do-without-the-host',
      severity: 'error',
      comment: "only server and agent use what is for a host's root",
      from: { path: '^(kernel|extension)/' },
      to: { path: '^server/contract/host/' },
    },
    {
      name: 'panel-reads-no-files',
      severity: 'error',
      comment: 'it runs in a browser',
      from: { path: '^extension/' },
      to: { path: '^server/contract/files/' },
    },
    {
      name: 'pure-code-does-no-io',
      severity: 'error',
      comment: 'domain/, plan/ and the contract import no node: module',
      from: { path: '(^server/contract/src/|/src/(domain|plan)/)' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'the-planner-knows-no-slivers',
      severity: 'error',
      comment:
        'plan/ decides by what was observed; what observes and carries out imports it, never the other way round',
      from: { path: '^agent/src/plan/' },
      to: { path: '^agent/src/(sliver|executor|loop)/' },
    },
    {
      name: 'the-registry-knows-no-http',
      severity: 'error',
      comment: 'HTTP asks the registry and its database, never the other way round',
      from: { path: '^server/src/(postgres|registry)/' },
      to: { path: '^server/src/(http|route)/' },
    },
  ],
  options: {
    // What is built is not looked into, but who imports it is seen: an import by a package's name leads there.
    doNotFollow: { path: '(/dist/|node_modules/|^extension/(lib|labextension)/)' },
    exclude: { path: '/node_modules/' },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'default', 'types'],
    },
  },
}

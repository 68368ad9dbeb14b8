// A script in CommonJS.
const { connect, Plot } = require('@community-lab/kernel')

connect()
  .nodes.find({})
  .then((nodes) => console.log(`${nodes.length} nodes, ${typeof Plot.dot}`))

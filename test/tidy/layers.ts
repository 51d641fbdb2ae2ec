/**
 * The import map of `src/`: what a folder may import beside itself, `lib` and `telemetry` (`raft`
 * may import nothing at all). Entry files at the top of `src/` wire everything together.
 */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  lib: [], // clock, PRNG, timer wheel, caches, errors, durations, regular expressions
  raft: [], // pure consensus core: nothing of ours, nothing from node:
  telemetry: [], // logger, access log
  spec: [], // schema builders, decoding, defaults, JSON Schema and doc output
  actor: [], // mailbox, ActorRef, ask, supervision, MessagePort adapter
  protocol: ['spec', 'actor'], // messages between threads
  shared: [], // the one exception to share-nothing: node-wide limits and statistics
  jobs: [], // CPU-heavy work off the actors' threads
  template: [], // the language of Go's text/template
  rego: [], // policies in the language of Open Policy Agent
  options: ['spec'], // start-up options of the server
  // data path: listener -> router -> pipeline -> filters -> upstream
  http: [], // Exchange, headers, bodies
  resilience: ['shared'], // retry, breaker, rate and time limits as pure state machines
  upstream: ['http', 'resilience', 'shared'], // pools, client, balancing, health checks
  filters: ['upstream', 'resilience', 'http', 'jobs', 'spec', 'shared', 'rego', 'template'], // a folder for each kind
  pipeline: ['filters', 'resilience', 'http', 'spec'], // compile and run a flow
  router: ['pipeline', 'http'], // host, path, method, headers -> pipeline
  listener: ['router', 'http', 'shared'], // uWebSockets.js and other servers behind one interface
  objects: [
    'listener',
    'router',
    'pipeline',
    'filters',
    'upstream',
    'http',
    'spec',
    'shared',
    'protocol',
  ], // runtimes, a folder for each kind
  // control path: cli -> admin -> coordinator -> store/raft -> snapshot -> worker
  cli: ['admin', 'kinds', 'spec'], // a file for each command; `kinds` for `object lint` alone
  admin: ['protocol', 'actor', 'spec'], // routes, server
  kinds: ['filters', 'objects', 'spec', 'admin'], // the registry; engines by dynamic import alone
  coordinator: [
    'store',
    'board',
    'peer',
    'kinds',
    'objects',
    'protocol',
    'actor',
    'shared',
    'jobs',
    'spec',
    'root',
  ],
  board: ['peer', 'store'], // soft state: heartbeats, status, statistics
  store: ['raft', 'peer'], // contract, pure machine, log
  peer: ['raft'], // authenticated frames between nodes
  worker: [
    'objects',
    'protocol',
    'actor',
    'shared',
    'listener',
    'upstream',
    'kinds',
    'http',
    'root',
  ],
  root: ['actor', 'admin', 'kinds', 'options', 'protocol', 'shared', 'store'], // supervises threads
}

/** Each of these packages is imported by one folder alone. */
export const ONE_DOOR: Readonly<Record<string, readonly string[]>> = {
  'uWebSockets.js': ['listener'],
  zod: ['spec'],
  'js-yaml': ['spec'],
  re2js: ['lib'],
  commander: ['cli'],
  picocolors: ['cli'],
  piscina: ['jobs'],
  msgpackr: ['actor', 'coordinator', 'worker', 'store', 'peer'],
}

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type OptionsOutcome, printConfig, readOptions } from './options.js'

const NO_FILE = (): string => {
  throw Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' })
}

interface Given {
  argv?: string[]
  env?: Record<string, string>
  file?: string
}

function read({ argv = [], env = {}, file }: Given): OptionsOutcome {
  const withFile = file === undefined ? argv : ['-f', 'eg.yaml', ...argv]
  return readOptions(withFile, env, file === undefined ? NO_FILE : () => file, 'host-1')
}

function run(given: Given) {
  const outcome = read(given)
  if (outcome.type !== 'run') throw new Error(JSON.stringify(outcome))
  return outcome
}

function problems(given: Given): readonly string[] {
  const outcome = read(given)
  if (outcome.type !== 'refused') throw new Error(`accepted: ${JSON.stringify(outcome)}`)
  return outcome.problems
}

it('shows of a member the options of the seed, in its order and with its values', () => {
  expect(Object.entries(run({}).memberOptions)).toEqual([
    ['name', 'eg-default-name'],
    ['labels', {}],
    ['cluster-name', 'eg-cluster-default-name'],
    ['cluster-role', 'writer'],
    ['cluster-request-timeout', '10s'],
    ['cluster-listen-client-urls', ['http://127.0.0.1:2379']],
    ['cluster-listen-peer-urls', ['http://127.0.0.1:2380']],
    ['cluster-advertise-client-urls', ['http://127.0.0.1:2379']],
    ['cluster-initial-advertise-peer-urls', ['http://127.0.0.1:2380']],
    ['cluster-join-urls', []],
    ['api-addr', 'localhost:2381'],
    ['debug', false],
    ['home-dir', './'],
    ['data-dir', 'data'],
    ['wal-dir', ''],
    ['log-dir', 'log'],
    ['member-dir', 'member'],
    ['cpu-profile-file', ''],
    ['memory-profile-file', ''],
  ])
})

it.each<[name: string, given: Given, want: object]>([
  ['the default is last', {}, { name: 'eg-default-name' }],
  ['the file beats the default', { file: 'name: file' }, { name: 'file' }],
  ['EG_ beats the file', { file: 'name: file', env: { EG_NAME: 'env' } }, { name: 'env' }],
  [
    'a flag beats EG_ and the file',
    { file: 'name: file', env: { EG_NAME: 'env' }, argv: ['--name', 'flag'] },
    { name: 'flag' },
  ],
  ['an empty variable is no value', { env: { EG_NAME: '' } }, { name: 'eg-default-name' }],
  ['null in the file is no value', { file: 'name:\nwal-dir: ~' }, { name: 'eg-default-name' }],
  ['an empty file is no values', { file: '# nothing\n' }, { name: 'eg-default-name' }],
  ['a number in the file may be a name', { file: 'name: 42' }, { name: '42' }],
  ['--flag=value', { argv: ['--name=a'] }, { name: 'a' }],
  ['the last of a repeated scalar counts', { argv: ['--name=a', '--name', 'b'] }, { name: 'b' }],
  ['a switch', { argv: ['--debug'] }, { debug: true }],
  [
    'a switch switched off',
    { argv: ['--debug=false'], env: { EG_DEBUG: 'true' } },
    { debug: false },
  ],
  ['a switch from the environment, as Go reads it', { env: { EG_DEBUG: 'T' } }, { debug: true }],
  ['joined short switches', { argv: ['-cc'] }, { printConfig: true }],
  ['an alias', { argv: ['--disable-access'] }, { disableAccessLog: true }],
  ['a value that looks like a flag', { argv: ['--data-dir', '-x'] }, { dataDir: '-x' }],
  [
    'lists by comma and by repeating',
    {
      argv: [
        '--cluster-advertise-client-urls=http://a:1,http://b:2',
        '--cluster-advertise-client-urls',
        'https://[::1]:3',
      ],
    },
    { clusterAdvertiseClientUrls: ['http://a:1', 'http://b:2', 'https://[::1]:3'] },
  ],
  [
    'a list of the file',
    { file: 'cluster-listen-client-urls:\n- http://a:1\n' },
    { clusterListenClientUrls: ['http://a:1'] },
  ],
  ['labels as pairs', { argv: ['--labels', 'a=1,b=x=y'] }, { labels: { a: '1', b: 'x=y' } }],
  ['labels as JSON', { env: { EG_LABELS: '{"a":"1","b":2}' } }, { labels: { a: '1', b: '2' } }],
  ['labels as a map', { file: 'labels: {a: b, n: 1}' }, { labels: { a: 'b', n: '1' } }],
  [
    'durations',
    { argv: ['--cluster-request-timeout=1m1.5s'] },
    { clusterRequestTimeoutMs: 61_500 },
  ],
  ['a drain time of zero', { argv: ['--drain-time', '0s'] }, { drainTimeMs: 0 }],
  ['workers', { argv: ['--workers', '3'] }, { workers: 3 }],
  [
    'host and port',
    { argv: ['--api-addr=127.0.0.1:0'] },
    { apiAddr: { host: '127.0.0.1', port: 0 } },
  ],
  ['IPv6', { argv: ['--api-addr', '[::1]:80'] }, { apiAddr: { host: '::1', port: 80 } }],
  [
    'an open admin API, asked for',
    { argv: ['--api-addr', ':2381', '--allow-insecure-admin'] },
    { apiAddr: { host: '', port: 2381 } },
  ],
  [
    'an open admin API with users',
    { file: 'api-addr: 0.0.0.0:2381\nbasic-auth: {admin: secret}' },
    { basicAuth: { admin: 'secret' } },
  ],
  ['a name from the host', { argv: ['--name='] }, { name: 'host-1-localhost-2381' }],
  ['unknown-fields', { argv: ['--unknown-fields=warn'] }, { unknownFields: 'warn' }],
  [
    'join URLs that begin with our own',
    { argv: ['--cluster-join-urls=HTTP://127.0.0.1:2380,http://b:2'] },
    { clusterJoinUrls: [] },
  ],
  [
    'a cluster as v2 writes it',
    {
      file: [
        'name: b',
        'cluster-role: primary',
        'cluster:',
        '  listen-client-urls: [http://127.0.0.1:1]',
        '  listen-peer-urls: [http://127.0.0.1:2]',
        '  initial-cluster:',
        '  - a: http://127.0.0.1:3',
        '  - b: http://127.0.0.1:4',
      ].join('\n'),
    },
    {
      clusterRole: 'writer',
      clusterListenClientUrls: ['http://127.0.0.1:1'],
      clusterListenPeerUrls: ['http://127.0.0.1:2'],
      clusterInitialAdvertisePeerUrls: ['http://127.0.0.1:4'],
      initialCluster: { a: 'http://127.0.0.1:3', b: 'http://127.0.0.1:4' },
    },
  ],
  [
    'a cluster in the environment, which says where to listen, too',
    { env: { EG_NAME: 'a', EG_INITIAL_CLUSTER: 'a=http://127.0.0.1:1,b=http://127.0.0.1:2' } },
    {
      clusterListenPeerUrls: ['http://127.0.0.1:1'],
      clusterInitialAdvertisePeerUrls: ['http://127.0.0.1:1'],
    },
  ],
  [
    'an open peer port, asked for',
    { argv: ['--listen-peer-urls=http://0.0.0.0:1', '--allow-insecure-peers'] },
    { allowInsecurePeers: true },
  ],
  [
    'a peer port with a secret',
    {
      argv: ['--listen-peer-urls=http://0.0.0.0:1'],
      file: 'cluster-secret: 0123456789abcdef',
    },
    { clusterSecret: '0123456789abcdef' },
  ],
  ['a choice in any case', { env: { EG_LOG_FORMAT: 'JSON' } }, { logFormat: 'json' }],
])('accepts: %s', (_name, given, want) => {
  expect(run(given).options).toMatchObject(want)
})

it.each<[name: string, given: Given, want: (string | RegExp)[]]>([
  ['an unknown flag', { argv: ['--nme', 'x'] }, ['--nme: unknown flag, did you mean --name?']],
  ['a strange flag', { argv: ['--frobnicate'] }, [/^--frobnicate: unknown flag; --help/]],
  ['one dash for a long flag', { argv: ['-debug'] }, [/two dashes/]],
  ['an unknown letter', { argv: ['-x'] }, [/^-x: unknown flag/]],
  ['a missing value', { argv: ['--name'] }, ['--name: needs a value']],
  ['an argument', { argv: ['start'] }, ['unexpected argument "start"']],
  ['a switch with a word', { argv: ['--debug', 'false'] }, [/--flag=false/]],
  ['arguments behind --', { argv: ['--', '--name'] }, ['unexpected argument "--name"']],
  ['passwords on the command line', { argv: ['--basic-auth', 'a=b'] }, [/config file only/]],
  ['a bad switch', { argv: ['--debug=maybe'] }, ['--debug: expected true or false, got "maybe"']],
  [
    'a bad number',
    { argv: ['--workers=1.5'] },
    [/^--workers: expected a whole number in 0\.\.1024/],
  ],
  ['too many workers', { env: { EG_WORKERS: '1025' } }, [/^EG_WORKERS: expected .* got "1025"$/]],
  ['negative workers', { argv: ['--workers', '-1'] }, [/got "-1"/]],
  [
    'a bad duration',
    { file: 'cluster-request-timeout: 10' },
    [/^eg\.yaml:1:1: cluster-request-timeout: expected a duration/],
  ],
  [
    'a bad choice',
    { argv: ['--log-format=xml'] },
    ['--log-format: expected one of text, json, got "xml"'],
  ],
  ['no port', { argv: ['--api-addr=localhost'] }, [/expected host:port/]],
  ['a port out of range', { argv: ['--api-addr=localhost:65536'] }, [/expected host:port/]],
  ['IPv6 without brackets', { argv: ['--api-addr=::1:80'] }, [/expected host:port/]],
  ['a bad URL', { argv: ['--cluster-join-urls=localhost:2380'] }, [/expected URLs such as/]],
  ['a URL list with a number', { file: 'cluster-join-urls: [1]' }, [/expected a list of URLs/]],
  ['bad labels', { argv: ['--labels=a'] }, [/key=value pairs/]],
  ['bad JSON labels', { env: { EG_LABELS: '{"a":' } }, [/JSON object/]],
  ['labels that are no map', { file: 'labels: [a]' }, [/map of names/]],
  ['a list for a name', { file: 'name: [a]' }, [/expected one value, not a list$/]],
  ['text for a switch', { file: 'debug: "true"' }, [/expected true or false, got "true"$/]],
  [
    'an unknown key',
    { file: '\nclustr-name: x' },
    ['eg.yaml:2:1: clustr-name: unknown option, did you mean cluster-name?'],
  ],
  ['a flag in the file', { file: 'config-file: x' }, [/is a flag only: --config-file/]],
  ['prototype keys', { file: 'constructor: 1' }, [/constructor: unknown option/]],
  [
    'an option and its alias',
    { file: 'disable-access: true\ndisable-access-log: true' },
    [/same option/],
  ],
  [
    'a cluster that is no block',
    { file: 'cluster: x' },
    [/^eg\.yaml:1:1: cluster: unknown option/],
  ],
  [
    'an unknown key of the block of v2',
    { file: 'cluster:\n  listen-peer-url: [http://127.0.0.1:1]' },
    ['eg.yaml:2:3: listen-peer-url: unknown option, did you mean listen-peer-urls?'],
  ],
  [
    'an option of the block and its name of v1',
    { file: 'cluster-join-urls: []\ncluster: {primary-listen-peer-urls: []}' },
    [/same option as cluster-join-urls/],
  ],
  ['two documents', { file: 'name: a\n---\nname: b' }, [/one document/]],
  ['a mask for a password', { file: 'basic-auth: {admin: "***"}' }, [/mask/]],
  ['a list as file', { file: '- name: x' }, [/a map of options/]],
  ['broken YAML', { file: 'name: [\n' }, [/^eg\.yaml:\d+:\d+: /]],
  ['a duplicate key', { file: 'name: a\nname: b' }, [/^eg\.yaml:2:\d+: not valid YAML/]],
  ['no such file', { argv: ['-f', 'gone.yaml'] }, ['config file gone.yaml: no such file']],
  ['a bad name', { argv: ['--name', 'a b'] }, [/^--name: expected 1 to 253 letters/]],
  ['an empty cluster name', { argv: ['--cluster-name='] }, [/^--cluster-name: expected/]],
  ['an empty directory', { file: 'data-dir: ""' }, [/data-dir: must not be empty/]],
  ['a reader', { argv: ['--cluster-role=reader'] }, [/readers follow/]],
  ['a reader of v2', { argv: ['--cluster-role=secondary'] }, [/readers follow/]],
  ['another role', { argv: ['--cluster-role=leader'] }, [/writer, reader, primary, secondary/]],
  [
    'founding and joining at once',
    {
      argv: [
        '--initial-cluster=eg-default-name=http://127.0.0.1:2380',
        '--cluster-join-urls=http://127.0.0.1:3',
      ],
    },
    [/^--initial-cluster: .* either founds .* or joins/],
  ],
  [
    'a cluster without this member',
    { argv: ['--initial-cluster=a=http://127.0.0.1:1,b=http://127.0.0.1:2', '--name=c'] },
    ['--initial-cluster: this member is "c", which is not among a, b'],
  ],
  [
    'two URLs for this member',
    {
      argv: [
        '--initial-cluster=a=http://127.0.0.1:1',
        '--name=a',
        '--initial-advertise-peer-urls=http://127.0.0.1:2',
      ],
    },
    [/^--initial-cluster: says http:\/\/127\.0\.0\.1:1 for this member, .* says .*:2$/],
  ],
  [
    'two members at one URL',
    { file: 'name: a\ninitial-cluster: [{a: http://127.0.0.1:1}, {b: HTTP://127.0.0.1:1/}]' },
    ['eg.yaml:2:1: initial-cluster: two members have http://127.0.0.1:1'],
  ],
  [
    'a member twice',
    { file: 'name: a\ninitial-cluster: [{a: http://127.0.0.1:1}, {a: http://127.0.0.1:2}]' },
    [/names of members, each once/],
  ],
  [
    'a member twice, in a flag',
    { argv: ['--name=a', '--initial-cluster=a=http://127.0.0.1:1,a=http://127.0.0.1:2'] },
    [/^--initial-cluster: expected names of members, each once/],
  ],
  [
    'more members than may vote',
    {
      argv: [
        '--name=m0',
        `--initial-cluster=${[...'01234567'].map((n) => `m${n}=http://127.0.0.1:100${n}`).join()}`,
      ],
    },
    ['--initial-cluster: a cluster has at most 7 writers, not 8'],
  ],
  ['a member without URL', { argv: ['--initial-cluster=a=1'] }, [/"1" is no URL/]],
  [
    'a peer URL without port',
    { argv: ['--listen-peer-urls=http://127.0.0.1'] },
    [/expected scheme, host and port .* got "http:\/\/127\.0\.0\.1"$/],
  ],
  [
    'a peer URL with a path',
    { argv: ['--cluster-join-urls=http://127.0.0.1:1/x'] },
    [/expected scheme, host and port/],
  ],
  [
    'TLS for some',
    { argv: ['--cluster-join-urls=https://127.0.0.1:1'] },
    [/peers speak TLS to all or to none/],
  ],
  [
    'TLS without files',
    {
      argv: [
        '--listen-peer-urls=https://127.0.0.1:1',
        '--initial-advertise-peer-urls=https://127.0.0.1:1',
        '--peer-cert-file=x',
      ],
    },
    ['peer-key-file: needed for https:// peer URLs', 'peer-ca-file: needed for https:// peer URLs'],
  ],
  [
    'peer certificates without TLS',
    { argv: ['--peer-ca-file=x'] },
    ['--peer-ca-file: has no effect without https:// peer URLs'],
  ],
  [
    'an open peer port',
    { argv: ['--listen-peer-urls=http://0.0.0.0:2380'] },
    [/^--cluster-listen-peer-urls: http:\/\/0\.0\.0\.0:2380 can be reached from other machines/],
  ],
  ['a secret on the command line', { argv: ['--cluster-secret=0123456789abcdef'] }, [/file only/]],
  ['a short secret', { file: 'cluster-secret: hunter2' }, [/at least 16 characters$/]],
  ['a mask for a secret', { file: 'cluster-secret: "***"' }, [/not the mask/]],
  ['a new cluster', { argv: ['--force-new-cluster'] }, [/^--force-new-cluster: /]],
  ['no listen URLs', { file: 'cluster-listen-peer-urls: []' }, [/at least one URL/]],
  ['a log folder apart', { argv: ['--wal-dir=x'] }, [/data-dir/]],
  ['tls without files', { argv: ['--tls'] }, [/^cert-file: needed/, /^key-file: needed/]],
  ['files without tls', { argv: ['--client-ca-file=x'] }, [/no effect without tls/]],
  ['an open admin API', { argv: ['--api-addr=:2381'] }, [/can be reached from other machines/]],
  [
    'an open admin API on one address',
    { argv: ['--api-addr=10.0.0.1:1'] },
    [/^--api-addr: 10\.0\.0\.1/],
  ],
  ['an empty password', { file: 'basic-auth: {admin: ""}' }, [/passwords that are not empty$/]],
  [
    'all at once, from every source',
    { argv: ['--nme', 'x', '--workers=x'], env: { EG_DEBUG: '2' }, file: 'api-addr: x\nfoo: 1' },
    [/^--nme/, /^eg.yaml:2:1: foo/, /^eg.yaml:1:1: api-addr/, /^EG_DEBUG/, /^--workers/],
  ],
])('refuses: %s', (_name, given, want) => {
  const got = problems(given)
  expect(got).toHaveLength(want.length)
  for (const [i, each] of want.entries()) {
    if (typeof each === 'string') expect(got[i]).toBe(each)
    else expect(got[i]).toMatch(each)
  }
})

it.each<[name: string, given: Given, want: RegExp]>([
  ['a variable close to ours', { env: { EG_NAMES: 'x' } }, /EG_NAMES: not an option.*EG_NAME\?/],
  [
    'the key without meaning of old samples',
    { file: 'std-log-level: INFO' },
    /std-log-level: ignored/,
  ],
  ['a v2 option with a harmless value', { file: 'use-standalone-etcd: false' }, /ignored/],
  ['an option of v2 without effect', { file: 'cluster: {state-flag: new}' }, /state-flag: ignored/],
  ['starting the cluster', { argv: ['--cluster-join-urls=http://127.0.0.1:2380'] }, /our own/],
])('mentions: %s', (_name, given, want) => {
  expect(run(given).notices).toEqual([expect.stringMatching(want)])
})

it.each<[name: string, argv: string[], want: object]>([
  [
    'alone by default',
    [],
    { type: 'found', members: [{ name: 'eg-default-name', url: 'http://127.0.0.1:2380' }] },
  ],
  [
    'with others',
    ['--name=a', '--initial-cluster=a=http://127.0.0.1:1,b=http://127.0.0.1:2'],
    {
      type: 'found',
      members: [
        { name: 'a', url: 'http://127.0.0.1:1' },
        { name: 'b', url: 'http://127.0.0.1:2' },
      ],
    },
  ],
  [
    'as the first of the list that all writers have',
    ['--cluster-join-urls=http://127.0.0.1:2380,http://127.0.0.1:2,http://127.0.0.1:3'],
    { type: 'found-first', others: ['http://127.0.0.1:2', 'http://127.0.0.1:3'] },
  ],
  [
    'as another of the list',
    ['--cluster-join-urls=http://127.0.0.1:2,http://127.0.0.1:2380,http://127.0.0.1:3'],
    { type: 'join', urls: ['http://127.0.0.1:2', 'http://127.0.0.1:3'] },
  ],
])('begins %s', (_name, argv, want) => {
  expect(run({ argv }).cluster.start).toEqual(want)
})

it('insists on the ports that were asked for, and on no others', () => {
  const asked = (argv: string[]): boolean[] => {
    const { peerListen, clientListen } = run({ argv }).cluster
    return [peerListen.isAskedFor, clientListen.isAskedFor]
  }
  expect(asked([])).toEqual([false, false])
  expect(asked(['--listen-peer-urls=http://127.0.0.1:1'])).toEqual([true, false])
  expect(asked(['--listen-client-urls=http://127.0.0.1:1'])).toEqual([false, true])
  expect(asked(['--initial-cluster=eg-default-name=http://127.0.0.1:1'])).toEqual([true, false])
})

it('the environment may name the config file', () => {
  const readFile = (path: string): string => `name: ${path.slice(0, 4)}`
  const outcome = readOptions([], { EG_CONFIG_FILE: 'eg-2.yaml' }, readFile)
  expect(outcome).toMatchObject({ type: 'run', options: { name: 'eg-2', configFile: 'eg-2.yaml' } })
})

it('keeps quiet about variables of others', () => {
  expect(run({ env: { EG_SERVICE_HOST_OF_SOMETHING: 'x', PATH: '/' } }).notices).toEqual([])
})

it('--help and --version win over problems', () => {
  expect(read({ argv: ['--nonsense', '-v'] })).toEqual({ type: 'version' })
  const help = read({ argv: ['--nonsense', '--help'] })
  expect(help.type).toBe('help')
})

it('--help names every option with its default, within 100 columns', () => {
  const help = read({ argv: ['-h'] })
  if (help.type !== 'help') throw new Error(help.type)
  const { config } = run({})
  for (const name of Object.keys(config)) expect(help.text).toContain(name)
  expect(help.text).toContain('[eg-default-name]')
  expect(help.text).toContain('-f, --config-file FILE')
  for (const line of help.text.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
})

it('what --print-config prints is a config file that means the same', () => {
  const given = {
    argv: ['--labels=a=1', '--cluster-request-timeout=1m', '--workers=2', '--api-addr=[::1]:5'],
  }
  const before = run(given)
  const after = run({ file: printConfig(before) })
  expect({ ...after.options, configFile: '' }).toEqual(before.options)
})

it('never shows a password', () => {
  const outcome = run({ file: 'basic-auth: {admin: hunter2}' })
  expect(outcome.options.basicAuth).toEqual({ admin: 'hunter2' })
  expect(printConfig(outcome)).toMatch(/admin: .*\*\*\*/)
  expect(JSON.stringify([outcome.config, outcome.memberOptions])).not.toContain('hunter2')
  expect(problems({ file: 'basic-auth: "admin:hunter2"' }).join()).not.toContain('hunter2')
})

it('never shows the secret of the cluster', () => {
  const outcome = run({ file: 'cluster-secret: 0123456789abcdef' })
  expect(printConfig(outcome)).toMatch(/cluster-secret: .*\*\*\*/)
  expect(JSON.stringify([outcome.config, outcome.memberOptions])).not.toContain('0123456789')
  const short = problems({ file: 'cluster-secret: abcdef' }).join()
  expect(short).not.toContain('abcdef')
})

it('options are frozen, lists and maps included', () => {
  const { options } = run({ argv: ['--labels=a=1'] })
  expect(Object.isFrozen(options)).toBe(true)
  expect(Object.isFrozen(options.labels)).toBe(true)
  expect(Object.isFrozen(options.clusterListenPeerUrls)).toBe(true)
})

it('never throws, whatever it is given', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('--name', '--labels', '--workers=', '-f', '-c', '--', '--api-addr', '-cv', '='),
  )
  const env = fc.dictionary(fc.constantFrom('EG_NAME', 'EG_LABELS', 'EG_WORKERS', 'EG_X'), word)
  const file = fc.oneof(fc.string(), fc.json(), fc.constant('name: &a [*a]'))
  fc.assert(
    fc.property(fc.array(word), env, file, (argv, variables, text) => {
      const outcome = readOptions(argv, variables, () => text, 'host-1')
      if (outcome.type === 'refused') expect(outcome.problems.length).toBeGreaterThan(0)
    }),
  )
})

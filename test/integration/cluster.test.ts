/** Several real nodes as one system: how they find each other, and what any of them answers. */
import {
  cpSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { basename, join } from 'node:path'
import { expect, it } from 'vitest'
import { Prng } from '../../src/lib/prng.js'
import { encodeFrame, FRAME } from '../../src/peer/frame.js'
import { encodeHello } from '../../src/peer/handshake-messages.js'
import { CHANNEL } from '../../src/peer/identity.js'
import { apply, askNode, Cluster, flagsOf, membersOf, type Node } from './support/cluster.js'
import { httpServer, mock, pipeline } from './support/documents.js'
import { expectStatus, type Gateway } from './support/gateway.js'
import { ask } from './support/http.js'
import { freePort } from './support/ports.js'
import { sleep, until } from './support/wait.js'
import { openWorld } from './support/world.js'

const SEED = Number(process.env['SEED'] ?? 2_380)

const world = openWorld()

/** Shared by the tests that leave it as it was. */
let shared: Cluster | null = null
async function three(): Promise<Cluster> {
  shared ??= await Cluster.start(world)
  return shared
}

/** Sends it and waits until the other side has had enough; some words are left to their time-out. */
function sayTo(port: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const stranger = connect(port, '127.0.0.1')
    stranger.on('close', () => resolve())
    stranger.on('error', () => {})
    stranger.on('data', () => {})
    stranger.setTimeout(1_000, () => stranger.destroy())
    stranger.write(bytes)
  })
}

/** What a stranger without a secret says first; `name`: who it says it is. */
const helloOf = (name: string): Buffer =>
  Buffer.from(
    encodeFrame(
      FRAME.HELLO,
      encodeHello({
        name,
        incarnation: 'somebody',
        bootId: 'today',
        nodeId: 0,
        clusterName: 'test-cluster',
        clusterId: null,
        admittedAt: 0,
        level: 1,
        levelMin: 1,
        clusterLevel: 0,
        logEnd: { index: 0, term: 0 },
        protocolMin: 1,
        protocolMax: 1,
        channel: CHANNEL.RAFT,
        secret: false,
        nonce: new Uint8Array(32),
      }),
    ),
  )

async function stop(cluster: Cluster): Promise<void> {
  await Promise.all(cluster.nodes.map(({ gateway }) => gateway.dispose()))
}

it('YAML pushed to any node is served by all', async () => {
  const cluster = await three()
  const port = await freePort()
  const answer = await apply(cluster.node(0), pipeline('p', mock(200, 'one')), { wait: 'cluster' })
  expect(answer.status).toBe(201)
  expectStatus(await apply(cluster.node(1), httpServer('s', port, 'p'), { wait: 'cluster' }), 201)
  for (const node of cluster.nodes) expect((await askNode(node, port)).text).toBe('one')
  for (const [i, node] of cluster.nodes.entries()) {
    const { headers } = await apply(node, pipeline('p', mock(200, `of ${i}`)), { wait: 'cluster' })
    expect(headers['x-config-applied']).toBeUndefined()
    for (const other of cluster.nodes) expect((await askNode(other, port)).text).toBe(`of ${i}`)
  }
  // Without waiting for all: whoever wrote it sees it at once, whoever reads it anywhere, too.
  for (let n = 0; n < 30; n++) {
    const node = cluster.node(n % 3)
    expectStatus(await apply(node, pipeline('p', mock(200, `n${n}`))), 200)
    expect((await askNode(node, port)).text).toBe(`n${n}`)
    const read = await cluster.node((n + 1) % 3).gateway.admin('GET', '/objects/p')
    expect(read.text).toContain(`n${n}`)
  }
  const { gateway } = cluster.node(2)
  const { code, stderr } = await gateway.egctl(['--wait=cluster', 'object', 'delete', 's', 'p'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  for (const node of cluster.nodes) await expect(askNode(node, port)).rejects.toThrow(/ECONN/)
})

it('every node lists all members, and how objects do on each', async () => {
  const cluster = await three()
  await cluster.settled()
  for (const node of cluster.nodes) {
    const members = await membersOf(node)
    expect(members.map(({ name }) => name)).toEqual(['eg-1', 'eg-2', 'eg-3'])
    expect(members.map(({ state }) => state).sort()).toEqual(['Follower', 'Follower', 'Leader'])
    for (const { heartbeatMs } of members) expect(Date.now() - heartbeatMs).toBeLessThan(6_000)
  }
  const { stdout } = await cluster.node(1).gateway.egctl(['member', 'list'])
  expect(stdout.match(/^ {4}name: eg-\d$/gm)).toHaveLength(3)
  expect(stdout.match(/^ {4}cluster-role: writer$/gm)).toHaveLength(3)

  // The clocks of the others, which are ours here.
  for (const node of cluster.nodes) {
    const offset = await until('a clock', 10_000, () =>
      node.gateway.metric('member_clock_offset_ms'),
    )
    expect(Math.abs(offset)).toBeLessThan(1_000)
  }

  const port = await freePort()
  const [, second] = cluster.nodes
  await apply(cluster.node(0), httpServer('told', port, 'nobody'), { wait: 'cluster' })
  await askNode(second as Node, port)
  await until('the status of all members', 15_000, async () => {
    const { gateway } = cluster.node(2)
    const { text } = await gateway.admin('GET', '/status/objects/told', undefined, {
      accept: 'application/json',
    })
    const byMember = JSON.parse(text) as Record<string, { status?: { count: number } }>
    const counts = ['eg-1', 'eg-2', 'eg-3'].map((name) => byMember[name]?.status?.count)
    return counts.join() === '0,1,0'
  })
  expectStatus(await cluster.node(0).gateway.admin('DELETE', '/objects/told?wait=cluster'), 200)
})

it('?consistency=local is answered here and now; other words are refused', async () => {
  const cluster = await three()
  const { gateway } = cluster.node(1)
  expectStatus(await gateway.admin('GET', '/objects?consistency=local'), 200)
  expectStatus(await gateway.admin('GET', '/objects?consistency=linearizable'), 200)
  expectStatus(await gateway.admin('GET', '/objects?consistency=soon'), 400)
  expectStatus(await gateway.admin('DELETE', '/objects/x?wait=world'), 400)
  expectStatus(await gateway.admin('DELETE', '/objects/x?consistency=local'), 400)
})

/** Of all of them: what lies on their disks, and how often they had it made durable. */
async function diskOf(gateways: readonly Gateway[]): Promise<string[]> {
  const syncs = await Promise.all(gateways.map((gateway) => gateway.metric('disk_syncs')))
  const files = gateways.flatMap(({ home }) => {
    const dir = join(home, 'data')
    return readdirSync(dir, { recursive: true, encoding: 'utf8' }).map((name) => {
      const { mtimeMs, size } = statSync(join(dir, name))
      return `${dir}/${name} ${mtimeMs} ${size}`
    })
  })
  return [...syncs.map((count) => `${count} syncs`), ...files]
}

it('idle nodes write nothing to any disk and sync none, three together as one alone', async () => {
  const cluster = await three()
  const alone = await world.gateway({ workers: 1 })
  await alone.create(pipeline('p', mock(200, 'x')))
  const gateways = [...cluster.nodes.map(({ gateway }) => gateway), alone]
  // The counter counts: a write is a sync on every member.
  const before = await Promise.all(gateways.map((gateway) => gateway.metric('disk_syncs')))
  expectStatus(
    await apply(cluster.node(0), pipeline('idle', mock(200, 'x')), { wait: 'cluster' }),
    201,
  )
  await alone.update(pipeline('p', mock(200, 'y')))
  for (const [i, gateway] of gateways.entries()) {
    expect(await gateway.metric('disk_syncs')).toBeGreaterThan(before[i] as number)
  }
  // What was noted of the writes before may come a moment later.
  await until('rest', 20_000, async () => {
    const earlier = await diskOf(gateways)
    await sleep(1_500)
    return earlier.join() === (await diskOf(gateways)).join()
  })
  const idle = await diskOf(gateways)
  await sleep(4_000)
  expect(await diskOf(gateways)).toEqual(idle)
  expectStatus(await cluster.node(0).gateway.admin('DELETE', '/objects/idle'), 200)
  await alone.dispose()
})

it('a client of HTTP on the ports of the peers is told where to go', async () => {
  const cluster = await three()
  const { port } = new URL(cluster.node(0).peerUrl)
  const { status, text } = await ask({ port: Number(port) })
  expect(status).toBe(400)
  expect(text).toMatch(/^This port is for the members of an Easegress cluster .* use egctl/)
})

it(`whatever strangers send to the peer ports, the cluster goes on (SEED=${SEED})`, async () => {
  const cluster = await three()
  const [first, second] = cluster.nodes as [Node, Node]
  const { port } = new URL(first.peerUrl)
  const hello = helloOf('eg-2')
  const prng = new Prng(SEED)
  const junk = (bytes: number): Buffer =>
    Buffer.from(Array.from({ length: bytes }, () => prng.below(256)))
  const damaged = (): Buffer => {
    const copy = Buffer.from(hello)
    copy[prng.below(copy.length)] = prng.below(256)
    return copy
  }
  const before = await first.gateway.configVersion()
  const strangers: Promise<void>[] = []
  for (let i = 0; i < 60; i++) {
    const cut = hello.subarray(0, 1 + prng.below(hello.length - 1))
    const said = [junk(1 + prng.below(300)), cut, damaged(), Buffer.concat([hello, junk(200)])]
    strangers.push(sayTo(Number(port), said[i % said.length] as Buffer))
  }
  await Promise.all(strangers)
  expect(await membersOf(first)).toHaveLength(3)
  await cluster.settled()
  expect(await first.gateway.configVersion()).toBe(before)
  expectStatus(await apply(first, pipeline('after', mock(200, 'x')), { wait: 'cluster' }), 201)
  expectStatus(await second.gateway.admin('DELETE', '/objects/after?wait=cluster'), 200)
})

it('a member with a damaged log does not start, names the place, and the others lose nothing', async () => {
  const cluster = await three()
  const [first, , third] = cluster.nodes as [Node, Node, Node]
  await apply(first, pipeline('p', mock(200, 'kept')), { wait: 'cluster' })
  await cluster.kill9(third)
  const dir = join(third.gateway.home, 'data', 'log')
  const [segment] = readdirSync(dir)
    .filter((name) => name.endsWith('.log'))
    .sort()
  const file = join(dir, segment as string)
  const whole = readFileSync(file)
  const damaged = Buffer.from(whole)
  // In the middle of what is written: what follows proves that it was on the disk.
  const end = damaged.findLastIndex((byte) => byte !== 0)
  for (let at = end >> 1; at < (end >> 1) + 64; at++) damaged[at] = (damaged[at] as number) ^ 0x5a
  writeFileSync(file, damaged)
  third.gateway.respawn()
  expect(await third.gateway.program.end()).toEqual({ code: 1, signal: null })
  expect(third.gateway.program.stderr).toMatch(new RegExp(`${segment}.*\\d`))
  expect((await first.gateway.admin('GET', '/objects/p')).text).toContain('kept')
  expectStatus(await apply(first, pipeline('p', mock(200, 'newer'))), 200)
  writeFileSync(file, whole)
  await cluster.restart(third)
  await cluster.settled()
  // The others have heard it; until it has heard who leads, what it says may be old, and says so.
  const answer = await until('an answer that is not stale', 10_000, async () => {
    const { headers, text } = await third.gateway.admin('GET', '/objects/p')
    return headers['x-easegress-stale'] === undefined && text
  })
  expect(answer).toContain('newer')
  expectStatus(await first.gateway.admin('DELETE', '/objects/p?wait=cluster'), 200)
})

it.each<[what: string, config: string, flags: readonly string[], said: RegExp]>([
  [
    'another cluster name',
    '',
    ['--cluster-name', 'other'],
    /belongs to cluster .*other.* check cluster-name/,
  ],
  ['a secret that the others lack', 'cluster-secret: 0123456789abcdef\n', [], /cluster-secret/],
  [
    'a name in use',
    '',
    ['--name', 'eg-1'],
    /the name .*eg-1.* belongs to another member .* purge it/,
  ],
])('a newcomer with %s waits, and says why', async (_what, config, flags, said) => {
  const cluster = await three()
  const before = await cluster.node(0).gateway.configVersion()
  const peerUrl = `http://127.0.0.1:${await freePort()}`
  const home = world.dir()
  writeFileSync(join(home, 'eg.yaml'), config)
  const newcomer = await world.startGateway({
    home,
    workers: 1,
    flags: [
      ...(await flagsOf('eg-9', peerUrl, '127.0.0.9')),
      ...['--config-file', join(home, 'eg.yaml')],
      ...['--cluster-initial-advertise-peer-urls', peerUrl],
      ...['--cluster-join-urls', cluster.node(0).peerUrl, ...flags],
    ],
  })
  const { status, text } = await until('a reason', 15_000, async () => {
    const answer = await newcomer.admin('GET', '/healthz')
    return said.test(answer.text) && answer
  })
  expect(status, text).toBe(503)
  expect(newcomer.program.output()).toMatch(said)
  expect(await newcomer.stop()).toEqual({ code: 0, signal: null })
  expect(await membersOf(cluster.node(0))).toHaveLength(3)
  expect(await cluster.node(0).gateway.configVersion()).toBe(before)
})

it('a copied data directory is not let in while its owner lives', async () => {
  const cluster = await three()
  await cluster.settled()
  const owner = cluster.node(2)
  const home = world.dir()
  cpSync(join(owner.gateway.home, 'data'), join(home, 'data'), {
    recursive: true,
    filter: (path) => !basename(path).startsWith('lock'),
  })
  const peerUrl = `http://127.0.0.1:${await freePort()}`
  const copy = await world.startGateway({
    home,
    workers: 1,
    flags: [
      ...(await flagsOf('eg-3', peerUrl, '127.0.0.9')),
      ...['--cluster-initial-advertise-peer-urls', peerUrl],
    ],
  })
  await until('a refusal', 15_000, () => /alive in another process/.test(copy.program.output()))
  await until('a refused write', 15_000, async () => {
    const { status } = await copy.admin('DELETE', '/objects/x')
    return status === 503
  })
  expectStatus(await apply(owner, pipeline('owned', mock(200, 'x')), { wait: 'cluster' }), 201)
  expectStatus(await owner.gateway.admin('DELETE', '/objects/owned'), 200)
  await copy.dispose()
  await cluster.settled()
})

it('a node that lost its disk does not vote under its old name, and joins once that is purged', async () => {
  const cluster = await three()
  const [first, , third] = cluster.nodes as [Node, Node, Node]
  const port = await freePort()
  await apply(first, pipeline('p', mock(200, 'kept')), { wait: 'cluster' })
  await apply(first, httpServer('s', port, 'p'), { wait: 'cluster' })
  await cluster.kill9(third)
  rmSync(join(third.gateway.home, 'data'), { recursive: true })
  third.gateway.respawn()
  await until('the reason', 15_000, async () => {
    const { status, text } = await third.gateway.admin('GET', '/healthz')
    return status === 503 && /the name .*eg-3.* belongs to another member/.test(text)
  })
  // The others still count it as the one that is gone.
  expect((await membersOf(first)).map(({ name }) => name)).toEqual(['eg-1', 'eg-2', 'eg-3'])
  const purged = await first.gateway.egctl(['member', 'purge', 'eg-3'])
  expect(purged).toMatchObject({ code: 0, stderr: '' })
  await third.gateway.healthy()
  await until('a voter', 15_000, async () => {
    const members = await membersOf(first)
    return members.some(({ name, state }) => name === 'eg-3' && /Follower|Leader/.test(state))
  })
  // Its admin API was there all the time, so it may be a voter before its worker serves.
  await until('traffic', 15_000, async () => (await askNode(third, port)).text === 'kept')
  await apply(third, pipeline('p', mock(200, 'changed')), { wait: 'cluster' })
  for (const node of cluster.nodes) expect((await askNode(node, port)).text).toBe('changed')
  expectStatus(await first.gateway.admin('DELETE', '/objects/s'), 200)
  expectStatus(await first.gateway.admin('DELETE', '/objects/p'), 200)
})

it('a node that lost its log or its identity, and nothing else, does not start', async () => {
  const cluster = await three()
  const [first, , third] = cluster.nodes as [Node, Node, Node]
  await cluster.kill9(third)
  for (const [name, said] of [
    ['log', /the log in .*\/data\/log is gone.*purge/],
    ['identity', /the file .*\/data\/identity is gone.*purge/],
  ] as const) {
    const path = join(third.gateway.home, 'data', name)
    renameSync(path, `${path}-elsewhere`)
    third.gateway.respawn()
    expect(await third.gateway.program.end()).toEqual({ code: 1, signal: null })
    expect(third.gateway.program.stderr).toMatch(said)
    rmSync(path, { recursive: true, force: true })
    renameSync(`${path}-elsewhere`, path)
  }
  await cluster.restart(third)
  await cluster.settled()
  expect(await membersOf(first)).toHaveLength(3)
})

it('a purged member drains, ends by itself with exit code 0, and says why', async () => {
  const cluster = await three()
  const [first, second, third] = cluster.nodes as [Node, Node, Node]
  const unknown = await first.gateway.egctl(['member', 'purge', 'eg-7'])
  expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('404') })
  // The leader, too.
  const leader = await cluster.settled()
  const asked = leader === first ? second : first
  expectStatus(await asked.gateway.admin('DELETE', `/status/members/${leader.name}`), 200)
  expect(await leader.gateway.program.end()).toEqual({ code: 0, signal: null })
  expect(leader.gateway.program.stderr).toMatch(
    /easegress-server: member "eg-\d" .* was purged from the cluster/,
  )
  const living = [first, second, third].filter((node) => node !== leader)
  await cluster.settled(living)
  expectStatus(await apply(asked, pipeline('p', mock(200, 'two')), { wait: 'cluster' }), 201)
  // It does not come back with what it has.
  leader.gateway.respawn()
  expect(await leader.gateway.program.end()).toEqual({ code: 0, signal: null })
  expect(await membersOf(asked)).toHaveLength(2)
  await stop(cluster)
  shared = null
})

it('writers that all list each other, as in v1, become one cluster', async () => {
  const cluster = await Cluster.start(world, { form: 'join-urls' })
  await until('three voters', 20_000, async () => {
    const members = await membersOf(cluster.node(0))
    return members.length === 3 && members.every(({ state }) => /Leader|Follower/.test(state))
  })
  const port = await freePort()
  await apply(cluster.node(2), httpServer('s', port, 'p'), { wait: 'cluster' })
  await apply(cluster.node(1), pipeline('p', mock(200, 'v1')), { wait: 'cluster' })
  for (const node of cluster.nodes) expect((await askNode(node, port)).text).toBe('v1')
  // The first writer, which starts the cluster by its own list, does not start another one.
  await cluster.kill9(cluster.node(0))
  await cluster.restart(cluster.node(0))
  expect(await membersOf(cluster.node(0))).toHaveLength(3)
  await stop(cluster)
})

it('a member that is alone takes in others', async () => {
  const peerUrl = `http://127.0.0.1:${await freePort()}`
  const first = await world.gateway({
    workers: 1,
    flags: [
      ...(await flagsOf('a', peerUrl, '127.0.0.1')),
      ...['--cluster-initial-advertise-peer-urls', peerUrl],
    ],
  })
  await first.create(pipeline('p', mock(200, 'x')))
  const joined: Gateway[] = []
  for (const name of ['b', 'c']) {
    const url = `http://127.0.0.1:${await freePort()}`
    joined.push(
      await world.gateway({
        workers: 1,
        flags: [
          ...(await flagsOf(name, url, name === 'b' ? '127.0.0.2' : '127.0.0.3')),
          ...['--cluster-initial-advertise-peer-urls', url, '--cluster-join-urls', peerUrl],
        ],
      }),
    )
  }
  for (const gateway of joined) {
    expectStatus(await gateway.admin('GET', '/objects/p'), 200)
    expect(readFileSync(join(gateway.home, 'log', 'stdout.log'), 'utf8')).toContain('joining')
  }
  await Promise.all([first, ...joined].map((gateway) => gateway.dispose()))
})

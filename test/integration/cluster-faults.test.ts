/**
 * A cluster of real nodes that are killed, stopped, cut off and left without a disk, while clients
 * write through every node and traffic flows. Longer, and with every fault on both sizes, with
 * `CLUSTER_ROUNDS=10`; `CLUSTER_FAULT="cut off"` takes those of one name.
 */
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { apply, askNode, Cluster, type Node } from './support/cluster.js'
import { History } from './support/cluster-history.js'
import { Traffic, Writer } from './support/cluster-load.js'
import { httpServer, mock, pipeline } from './support/documents.js'
import { limitFiles } from './support/file-limit.js'
import { expectStatus } from './support/gateway.js'
import { type Answer, ask } from './support/http.js'
import { freePort } from './support/ports.js'
import { sleep, until } from './support/wait.js'
import { openWorld } from './support/world.js'

/** Many processes on a busy machine. */
const LONG_MS = 180_000
const ROUNDS = Number(process.env['CLUSTER_ROUNDS'] ?? 1)
const IS_LONG = ROUNDS > 1
/** Only faults with this in their names. */
const ONLY = process.env['CLUSTER_FAULT'] ?? ''

const world = openWorld()

async function served(cluster: Cluster, body: string): Promise<number> {
  const port = await freePort()
  const [first] = cluster.nodes as [Node]
  await apply(first, pipeline('served', mock(200, body)), { wait: 'cluster' })
  await apply(first, httpServer('server', port, 'served'), { wait: 'cluster' })
  return port
}

async function dispose(cluster: Cluster): Promise<void> {
  await Promise.all(cluster.nodes.map(({ gateway }) => gateway.dispose()))
}

/** Has the coordinator's thread of a node throw. */
function crashCoordinator({ gateway }: Node): void {
  writeFileSync(join(gateway.home, 'fault.new'), 'coordinator throw\n')
  renameSync(join(gateway.home, 'fault.new'), join(gateway.home, 'fault'))
}

/** Some members, the leader first, and what is done to them. */
interface Fault {
  readonly name: string
  /** How many of them; the leader is one of them unless it is `isFollower`. */
  readonly victims: 'one' | 'all but a majority'
  readonly isFollower?: true
  /** Traffic through the victims may fail, as their processes are gone or stand still. */
  readonly isFatal?: true
  /** In this size of cluster also in a short run. */
  readonly short?: 3 | 5
  break(scene: Scene, victims: readonly Node[]): Promise<void> | void
  mend(scene: Scene, victims: readonly Node[]): Promise<void> | void
}

const kill: Pick<Fault, 'isFatal' | 'break' | 'mend'> = {
  isFatal: true,
  break: async ({ cluster }, victims) => {
    await Promise.all(victims.map((node) => cluster.kill9(node)))
  },
  mend: async ({ cluster }, victims) => {
    await Promise.all(victims.map((node) => cluster.restart(node)))
  },
}

/** Cuts between victims and all others; `heard`, `hears`: what still comes through. */
function cut(heard: boolean, hears: boolean): Pick<Fault, 'break' | 'mend'> {
  return {
    break: ({ cluster }, victims) => {
      for (const one of victims) {
        for (const other of cluster.nodes) {
          if (victims.includes(other)) continue
          if (!heard) cluster.cables?.cut(one.name, other.name)
          if (!hears) cluster.cables?.cut(other.name, one.name)
        }
      }
    },
    mend: ({ cluster }) => cluster.cables?.heal(),
  }
}

const FAULTS: readonly Fault[] = [
  { name: 'the leader is killed', victims: 'one', short: 3, ...kill },
  { name: 'a follower is killed', victims: 'one', isFollower: true, ...kill },
  { name: 'as many as can be are killed', victims: 'all but a majority', short: 5, ...kill },
  {
    name: 'the leader stands still',
    victims: 'one',
    isFatal: true,
    short: 3,
    break: ({ cluster }, [leader]) => cluster.signal(leader as Node, 'SIGSTOP'),
    mend: ({ cluster }, [leader]) => cluster.signal(leader as Node, 'SIGCONT'),
  },
  { name: 'the leader is cut off', victims: 'one', short: 3, ...cut(false, false) },
  { name: 'the leader is not heard', victims: 'one', short: 3, ...cut(false, true) },
  { name: 'the leader hears nobody', victims: 'one', short: 3, ...cut(true, false) },
  { name: 'a follower is not heard', victims: 'one', isFollower: true, ...cut(false, true) },
  { name: 'a follower hears nobody', victims: 'one', isFollower: true, ...cut(true, false) },
  {
    name: 'as many as can be are cut off',
    victims: 'all but a majority',
    short: 5,
    ...cut(false, false),
  },
  {
    name: 'the disk of the leader takes nothing more',
    victims: 'one',
    short: 3,
    break: async ({ port }, [leader]) => {
      const { gateway } = leader as Node
      limitFiles(gateway.childPid(), 1)
      await until('a refusal that names the disk', 15_000, async () => {
        const { status, text } = await apply(leader as Node, pipeline('full', mock(200, 'x')))
        return status === 503 && /EFBIG/.test(text)
      })
      expect((await askNode(leader as Node, port)).status).toBe(200)
    },
    mend: async (scene, [leader]) => {
      const { gateway } = leader as Node
      limitFiles(gateway.childPid(), Number.POSITIVE_INFINITY)
      const traffic = scene.traffic.get(leader as Node) as Traffic
      traffic.isExcused = true
      // It drains and ends in order: what is fenced is not waited for.
      expect(await gateway.stop()).toEqual({ code: 0, signal: null })
      await scene.cluster.restart(leader as Node)
    },
  },
  {
    name: 'the coordinator of the leader crashes',
    victims: 'one',
    short: 5,
    break: (_scene, [leader]) => crashCoordinator(leader as Node),
    mend: ({ cluster }) => cluster.healthy(),
  },
]

/** A cluster with clients of every kind. */
class Scene {
  readonly cluster: Cluster
  readonly port: number
  readonly history = new History()
  readonly traffic: ReadonlyMap<Node, Traffic>
  readonly #writers: readonly Writer[]

  constructor(cluster: Cluster, port: number) {
    this.cluster = cluster
    this.port = port
    const { nodes } = cluster
    this.traffic = new Map(nodes.map((node) => [node, new Traffic(node, port)]))
    const names = nodes.flatMap(({ name }) => [`${name}-a`, `${name}-b`])
    this.#writers = nodes.flatMap((node) =>
      ['a', 'b'].map((part) => new Writer(node, `${node.name}-${part}`, names, this.history)),
    )
  }

  /** Writes go on through each of these. */
  async progress(nodes: readonly Node[]): Promise<void> {
    const writers = this.#writers.filter(({ node }) => nodes.includes(node))
    const before = new Map(writers.map((writer) => [writer, writer.acknowledged]))
    await until('writes', 20_000, () => {
      const stuck = writers.filter(
        (writer) => writer.acknowledged < (before.get(writer) as number) + 2,
      )
      if (stuck.length > 0) throw new Error(stuck.map((writer) => writer.state).join('; '))
      return true
    })
  }

  async suffer(fault: Fault): Promise<void> {
    const { nodes } = this.cluster
    const leader = await this.cluster.settled()
    const count = fault.victims === 'one' ? 1 : Math.ceil(nodes.length / 2) - 1
    const others = nodes.filter((node) => node !== leader)
    const victims = (fault.isFollower === true ? others : [leader, ...others]).slice(0, count)
    const theirs = victims.map((node) => this.traffic.get(node) as Traffic)
    for (const each of theirs) each.isExcused = fault.isFatal === true
    await fault.break(this, victims)
    await this.progress(nodes.filter((node) => !victims.includes(node)))
    await fault.mend(this, victims)
    await until('traffic everywhere', 30_000, async () => {
      const answers = await Promise.all(nodes.map((node) => askNode(node, this.port, '/', 1_000)))
      return answers.every(({ status }) => status === 200)
    })
    for (const each of theirs) each.isExcused = false
    await this.progress(nodes)
  }

  async end(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.end()))
    await Promise.all([...this.traffic.values()].map((each) => each.end()))
  }
}

it.each<3 | 5>([3, 5])(
  '%i nodes: nothing acknowledged is lost, no request fails, one order explains it all',
  async (count) => {
    const cluster = await Cluster.start(world, {
      count,
      hasCables: true,
      env: (_name, home) => ({ EASEGRESS_FAULT_FILE: join(home, 'fault') }),
    })
    const scene = new Scene(cluster, await served(cluster, 'here'))
    await scene.progress(cluster.nodes)
    const faults = FAULTS.filter(({ name, short }) =>
      ONLY === '' ? IS_LONG || short === count : name.includes(ONLY),
    )
    for (let round = 0; round < ROUNDS; round++) {
      for (const fault of faults) {
        await scene.suffer(fault).catch((thrown: unknown) => {
          throw new Error(`${fault.name}: ${String(thrown)}`, { cause: thrown })
        })
      }
    }
    await scene.end()

    const { traffic, history } = scene
    expect([...traffic.values()].flatMap(({ failures }) => failures)).toEqual([])
    for (const { answers } of traffic.values()) expect(answers).toBeGreaterThan(50)
    expect(history.problems()).toEqual([])
    expect(history.reads).toBeGreaterThan(50)
    for (const node of cluster.nodes) {
      for (const [name, { value, others }] of history.finals()) {
        const { text } = expectStatus(await node.gateway.admin('GET', `/objects/${name}`), 200)
        const got = /"body":"([^"]*)"/.exec(text)?.[1]
        expect([value, ...others]).toContain(got)
      }
    }
    await dispose(cluster)
  },
  LONG_MS * ROUNDS,
)

it(
  'without a quorum traffic goes on, also after a restart; reads say how old they are',
  async () => {
    const cluster = await Cluster.start(world)
    const [first, second, third] = cluster.nodes as [Node, Node, Node]
    const port = await served(cluster, 'before')
    const traffic = new Traffic(first, port)
    const data = (method: string, path: string, item?: object): Promise<Answer> => {
      const body = item === undefined ? '' : JSON.stringify(item)
      const headers = { 'content-length': body.length }
      const port = first.gateway.apiPort
      return ask({ port, method, path: `/apis/v2${path}`, headers, body })
    }
    expectStatus(await data('POST', '/customdatakinds', { name: 'users' }), 201)
    expectStatus(await data('POST', '/customdata/users', { name: 'ann' }), 201)
    await Promise.all([cluster.kill9(second), cluster.kill9(third)])
    await until('a refused write', 20_000, async () => {
      const { status, text } = await apply(first, pipeline('served', mock(200, 'after')))
      return status === 503 && /no quorum: 1 of 3 voters can be reached/.test(text)
    })
    const read = expectStatus(await first.gateway.admin('GET', '/objects/served'), 200)
    expect(Number(read.headers['x-easegress-stale'])).toBeGreaterThan(0)
    expect(read.text).toContain('before')
    const refused = expectStatus(await data('POST', '/customdata/users', { name: 'bob' }), 503)
    expect(refused.text).toContain('no quorum: 1 of 3 voters can be reached')
    const items = expectStatus(await data('GET', '/customdata/users'), 200)
    expect(JSON.parse(items.text)).toEqual([{ name: 'ann' }])
    expect(Number(items.headers['x-easegress-stale'])).toBeGreaterThan(0)
    const listed = await first.gateway.egctl(['object', 'list', '-o', 'table'])
    expect(listed).toMatchObject({ code: 0, stderr: expect.stringContaining('lost touch with') })
    const purge = await first.gateway.egctl(['member', 'purge', 'eg-2'])
    expect(purge).toMatchObject({ code: 1, stderr: expect.stringContaining('no quorum') })
    expect((await askNode(first, port)).text).toBe('before')
    await traffic.end()
    expect(traffic.failures).toEqual([])
    expect(traffic.answers).toBeGreaterThan(50)

    await cluster.kill9(first)
    await cluster.restart(first)
    expect((await askNode(first, port)).text).toBe('before')
    const { headers } = expectStatus(await first.gateway.admin('GET', '/objects/served'), 200)
    expect(headers['x-easegress-stale']).toMatch(/^\d+$/)
    expectStatus(await apply(first, pipeline('served', mock(200, 'after'))), 503)

    await cluster.restart(second)
    await until('a write', 15_000, async () => {
      return (await apply(first, pipeline('served', mock(200, 'after')))).status === 200
    })
    await cluster.restart(third)
    await until('the third', 15_000, async () => (await askNode(third, port)).text === 'after')
    // The whole cluster at once, in its own way and by force.
    await Promise.all(cluster.nodes.map(({ gateway }) => gateway.stop()))
    await Promise.all(cluster.nodes.map((node) => cluster.restart(node)))
    await Promise.all(cluster.nodes.map((node) => cluster.kill9(node)))
    await Promise.all(cluster.nodes.map((node) => cluster.restart(node)))
    for (const node of cluster.nodes) expect((await askNode(node, port)).text).toBe('after')
    const done = await apply(second, pipeline('served', mock(200, 'last')), { wait: 'cluster' })
    expectStatus(done, 200)
    for (const node of cluster.nodes) expect((await askNode(node, port)).text).toBe('last')
    await dispose(cluster)
  },
  LONG_MS,
)

it(
  'coordinators crash under load: no request fails, nothing old is ever served',
  async () => {
    const cluster = await Cluster.start(world, {
      env: (_name, home) => ({ EASEGRESS_FAULT_FILE: join(home, 'fault') }),
    })
    const port = await served(cluster, '0')
    const traffic = cluster.nodes.map((node) => new Traffic(node, port))
    let count = 0
    let isOver = false
    const older: string[] = []
    // What was acknowledged as in effect everywhere is the least that anybody may see from then on.
    const readers = cluster.nodes.map(async (node) => {
      let seen = 0
      while (!isOver) {
        const now = Number((await askNode(node, port)).text)
        if (now < seen) older.push(`${node.name} served ${now} after ${seen}`)
        seen = Math.max(seen, now)
        await sleep(3)
      }
    })
    const write = async (): Promise<void> => {
      for (let i = 0; !isOver; i++) {
        const value = String(count + 1)
        const node = cluster.node(i % 3)
        const { status } = await apply(node, pipeline('served', mock(200, value)), {
          requestId: `w${value}`,
        })
        if (status === 200) count += 1
        else await sleep(20)
      }
    }
    const writing = write()
    // The sixth in a minute is one too many for a node: `failover.js --coordinator 20` has time.
    for (let crash = 0; crash < 4; crash++) {
      crashCoordinator(cluster.node(crash % 3))
      const before = count
      await sleep(400)
      await until('writes', 15_000, () => count > before + 3)
    }
    isOver = true
    await writing
    await Promise.all(readers)
    await Promise.all(traffic.map((each) => each.end()))
    expect(traffic.flatMap(({ failures }) => failures)).toEqual([])
    expect(older).toEqual([])
    await cluster.healthy()
    const last = String(count + 1)
    expectStatus(
      await apply(cluster.node(0), pipeline('served', mock(200, last)), { wait: 'cluster' }),
      200,
    )
    for (const node of cluster.nodes) expect((await askNode(node, port)).text).toBe(last)
    await dispose(cluster)
  },
  LONG_MS,
)

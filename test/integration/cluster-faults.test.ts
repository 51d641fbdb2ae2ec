/**
 * A cluster of real nodes that are killed, stopped and cut off, while clients write through every
 * node and traffic flows. Longer with `CLUSTER_ROUNDS=10`.
 */
import { renameSync, writeFileSync } from 'node:fs'
import type http from 'node:http'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { apply, askNode, Cluster, type Node } from './support/cluster.js'
import { History } from './support/cluster-history.js'
import { httpServer, mock, pipeline } from './support/documents.js'
import { expectStatus } from './support/gateway.js'
import { ask, keptAlive } from './support/http.js'
import { freePort } from './support/ports.js'
import { sleep, until } from './support/wait.js'
import { openWorld } from './support/world.js'

/** Many processes on a busy machine. */
const LONG_MS = 180_000
const ROUNDS = Number(process.env['CLUSTER_ROUNDS'] ?? 1)

const world = openWorld()

/** Traffic through one node, without a pause; nothing of it may fail while the node lives. */
class Traffic {
  readonly failures: string[] = []
  answers = 0
  /** The node is being broken: what fails now is no surprise. */
  isExcused = false
  readonly #node: Node
  readonly #port: number
  readonly #agent: http.Agent = keptAlive()
  readonly #done: Promise<void>
  #isOver = false

  constructor(node: Node, port: number) {
    this.#node = node
    this.#port = port
    this.#done = this.#run()
  }

  async #run(): Promise<void> {
    const { address } = this.#node
    while (!this.#isOver) {
      const wasExcused = this.isExcused
      try {
        const { status } = await ask({
          address,
          port: this.#port,
          agent: this.#agent,
          timeoutMs: 4_000,
        })
        if (status === 200) this.answers += 1
        else this.#fail(`status ${status}`, wasExcused)
      } catch (thrown) {
        this.#fail(String(thrown), wasExcused)
      }
      await sleep(5)
    }
    this.#agent.destroy()
  }

  #fail(what: string, wasExcused: boolean): void {
    if (!wasExcused && !this.isExcused) this.failures.push(`${this.#node.name}: ${what}`)
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#done
  }
}

/** A client that writes an object of its own through one node, and reads those of others. */
class Writer {
  readonly #node: Node
  readonly #name: string
  readonly #others: readonly string[]
  readonly #history: History
  readonly #done: Promise<void>
  #isOver = false
  #count = 0
  acknowledged = 0

  constructor(node: Node, name: string, others: readonly string[], history: History) {
    this.#node = node
    this.#name = name
    this.#others = others
    this.#history = history
    this.#done = this.#run()
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      await this.#write()
      await this.#read()
      await sleep(5)
    }
  }

  /** The same write again and again under its request id, until there is an answer. */
  async #write(): Promise<void> {
    const value = `${this.#name}-${++this.#count}`
    const acknowledged = this.#history.write(this.#name, value)
    const document = pipeline(this.#name, mock(200, value))
    for (let tries = 0; tries < 8; tries++) {
      try {
        const { status, headers } = await apply(this.#node, document, { requestId: value })
        if (status === 200 || status === 201) {
          acknowledged(Number(headers['x-config-version']))
          this.acknowledged += 1
          return
        }
        if (status !== 503) throw new Error(`status ${status}`)
      } catch (thrown) {
        if (/^Error: status/.test(String(thrown))) throw thrown
      }
      if (this.#isOver) return
      await sleep(100)
    }
  }

  async #read(): Promise<void> {
    const name = this.#others[this.#count % this.#others.length] as string
    const sentMs = performance.now()
    try {
      const path = `/objects/${name}`
      const { status, headers, text } = await this.#node.gateway.admin('GET', path)
      // An answer that says it may be old promises nothing.
      if (headers['x-easegress-stale'] !== undefined) return
      const version = Number(headers['x-config-version'])
      if (status === 200) {
        this.#history.read(name, /"body":"([^"]*)"/.exec(text)?.[1] ?? '', version, sentMs)
      } else if (status === 404) this.#history.read(name, null, version, sentMs)
    } catch {
      // the node is being broken
    }
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#done
  }
}

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

it(
  'nothing acknowledged is lost, no request fails, one order explains it all',
  async () => {
    const cluster = await Cluster.start(world)
    const port = await served(cluster, 'here')
    const history = new History()
    const traffic = new Map(cluster.nodes.map((node) => [node, new Traffic(node, port)]))
    const names = cluster.nodes.flatMap(({ name }) => [`${name}-a`, `${name}-b`])
    const writers = cluster.nodes.flatMap((node) =>
      ['a', 'b'].map((part) => new Writer(node, `${node.name}-${part}`, names, history)),
    )
    const progress = async (): Promise<void> => {
      const before = history.acknowledged
      await until('writes', 15_000, () => history.acknowledged > before + 10)
    }
    const broken = async (node: Node, how: () => Promise<void>): Promise<void> => {
      const itsTraffic = traffic.get(node) as Traffic
      itsTraffic.isExcused = true
      await how()
      await until('traffic', 15_000, async () => {
        return (await askNode(node, port, '/', 1_000)).status === 200
      })
      itsTraffic.isExcused = false
      await progress()
    }
    await progress()
    for (let round = 0; round < ROUNDS; round++) {
      const leader = await cluster.settled()
      await broken(leader, async () => {
        await cluster.kill9(leader)
        await progress()
        await cluster.restart(leader)
      })
      const next = await cluster.settled()
      const follower = cluster.nodes.find((node) => node !== next) as Node
      await broken(follower, async () => {
        await cluster.kill9(follower)
        await progress()
        await cluster.restart(follower)
      })
      const stopped = await cluster.settled()
      await broken(stopped, async () => {
        cluster.signal(stopped, 'SIGSTOP')
        await progress()
        await sleep(500)
        cluster.signal(stopped, 'SIGCONT')
      })
    }
    await Promise.all(writers.map((writer) => writer.end()))
    await Promise.all([...traffic.values()].map((each) => each.end()))

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
  LONG_MS,
)

it(
  'without a quorum traffic goes on, also after a restart; reads say how old they are',
  async () => {
    const cluster = await Cluster.start(world)
    const [first, second, third] = cluster.nodes as [Node, Node, Node]
    const port = await served(cluster, 'before')
    const traffic = new Traffic(first, port)
    await Promise.all([cluster.kill9(second), cluster.kill9(third)])
    await until('a refused write', 20_000, async () => {
      const { status, text } = await apply(first, pipeline('served', mock(200, 'after')))
      return status === 503 && /no quorum: 1 of 3 voters can be reached/.test(text)
    })
    const read = expectStatus(await first.gateway.admin('GET', '/objects/served'), 200)
    expect(Number(read.headers['x-easegress-stale'])).toBeGreaterThan(0)
    expect(read.text).toContain('before')
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
    // Five in a minute are too many for one node.
    for (let crash = 0; crash < 4 * ROUNDS; crash++) {
      const { home } = cluster.node(crash % 3).gateway
      writeFileSync(join(home, 'fault.new'), 'coordinator throw\n')
      renameSync(join(home, 'fault.new'), join(home, 'fault'))
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

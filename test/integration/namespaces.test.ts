/** Three nodes on a network of their own, whose wires are pulled: nothing is refused, all is lost. */
import { execFile, execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { httpServer, mock, pipeline } from './support/documents.js'
import type { Document } from './support/gateway.js'
import { PARENT } from './support/paths.js'
import { killPid } from './support/program.js'
import { until } from './support/wait.js'
import { openWorld, type World } from './support/world.js'

const run = promisify(execFile)

/** In a namespace all nodes may have the same ports. */
const ADMIN_PORT = 2381
const TRAFFIC_PORT = 8_080
const SECRET = 'of-this-test-alone'

/** Asks a server of its own namespace, and prints what it said. */
const ASK = `
const [method, url, body] = process.argv.slice(1)
const headers = { accept: 'application/json' }
fetch(url, { method, headers, signal: AbortSignal.timeout(8000), ...(body ? { body } : {}) }).then(
  async (r) => console.log(JSON.stringify({ status: r.status, headers: [...r.headers], text: await r.text() })),
  (e) => console.log(JSON.stringify({ status: 0, headers: [], text: String(e.cause ?? e) })),
)`

interface Said {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly text: string
}

/** Why there are no namespaces here; null: there are. */
function lack(): string | null {
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  const name = `eg-probe-${process.pid}`
  try {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'ignore' })
    execFileSync('ip', ['netns', 'del', name], { stdio: 'ignore' })
    return null
  } catch {
    return 'no network namespaces: the program ip is missing, or the kernel has none'
  }
}

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' })

/** A switch, and hosts that are plugged into it. */
class Network {
  readonly #switch = `eg-${process.pid}-switch`
  readonly #hosts: Host[] = []

  constructor(hosts: number, world: World) {
    world.atEnd(() => this.close())
    ip('netns', 'add', this.#switch)
    ip('-n', this.#switch, 'link', 'add', 'br0', 'type', 'bridge')
    ip('-n', this.#switch, 'link', 'set', 'br0', 'up')
    for (let number = 1; number <= hosts; number++) {
      this.#hosts.push(new Host(number, this.#switch))
    }
  }

  get hosts(): readonly Host[] {
    return this.#hosts
  }

  close(): void {
    for (const { space } of this.#hosts) {
      for (const pid of ip('netns', 'pids', space).split('\n')) {
        if (pid !== '') killPid(Number(pid), 'SIGKILL')
      }
      ip('netns', 'del', space)
    }
    ip('netns', 'del', this.#switch)
  }
}

class Host {
  readonly name: string
  readonly space: string
  readonly address: string
  readonly #switch: string
  readonly #plug: string

  constructor(number: number, within: string) {
    this.name = `eg-${number}`
    this.space = `eg-${process.pid}-${number}`
    this.address = `10.77.0.${number}`
    this.#switch = within
    this.#plug = `plug${number}`
    ip('netns', 'add', this.space)
    const wire = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', this.space]
    ip('-n', within, 'link', 'add', this.#plug, ...wire)
    ip('-n', within, 'link', 'set', this.#plug, 'master', 'br0')
    ip('-n', this.space, 'addr', 'add', `${this.address}/24`, 'dev', 'eth0')
    for (const link of ['lo', 'eth0']) ip('-n', this.space, 'link', 'set', link, 'up')
    this.plugIn()
  }

  get peerUrl(): string {
    return `http://${this.address}:2380`
  }

  pullOut(): void {
    ip('-n', this.#switch, 'link', 'set', this.#plug, 'down')
  }

  plugIn(): void {
    ip('-n', this.#switch, 'link', 'set', this.#plug, 'up')
  }

  /** Sends nothing to `other` any more, and hears it still. */
  loseWayTo(other: Host): void {
    ip('-n', this.space, 'route', 'add', 'blackhole', `${other.address}/32`)
  }

  findWayTo(other: Host): void {
    ip('-n', this.space, 'route', 'del', 'blackhole', `${other.address}/32`)
  }

  start(world: World, all: readonly Host[]): void {
    const home = world.dir()
    const config = join(home, 'eg.yaml')
    writeFileSync(config, `cluster-secret: ${SECRET}\n`)
    const clientUrl = `http://${this.address}:2379`
    world.program(this.name, 'ip', [
      ...['netns', 'exec', this.space, process.execPath, PARENT],
      ...['--name', this.name, '--cluster-name', 'wires', '--config-file', config],
      ...['--home-dir', home, '--workers', '1', '--disable-access-log'],
      ...['--api-addr', `127.0.0.1:${ADMIN_PORT}`, '--traffic-host', '127.0.0.1'],
      ...['--listen-peer-urls', this.peerUrl],
      ...['--cluster-listen-client-urls', clientUrl, '--cluster-advertise-client-urls', clientUrl],
      ...['--initial-cluster', all.map((each) => `${each.name}=${each.peerUrl}`).join(',')],
    ])
  }

  async ask(method: string, path: string, document?: Document): Promise<Said> {
    return this.#ask(method, `http://127.0.0.1:${ADMIN_PORT}/apis/v1${path}`, document)
  }

  /** What its traffic port serves. */
  async serves(): Promise<string> {
    return (await this.#ask('GET', `http://127.0.0.1:${TRAFFIC_PORT}/`)).text
  }

  async leader(): Promise<string | undefined> {
    const { text } = await this.ask('GET', '/status/members')
    const members = JSON.parse(text) as {
      readonly options: { readonly name: string }
      readonly etcd: { readonly state: string }
    }[]
    if (members.some(({ etcd }) => etcd.state === 'Offline')) return undefined
    return members.find(({ etcd }) => etcd.state === 'Leader')?.options.name
  }

  async #ask(method: string, url: string, document?: Document): Promise<Said> {
    const command = [process.execPath, '-e', ASK, method, url]
    if (document !== undefined) command.push(JSON.stringify(document))
    const { stdout } = await run('ip', ['netns', 'exec', this.space, ...command])
    return JSON.parse(stdout) as Said
  }
}

const world = openWorld()

const change = (host: Host, text: string, query = ''): Promise<Said> =>
  host.ask('PUT', `/objects/p${query}`, pipeline('p', mock(200, text)))

it('a cluster whose wires are pulled loses no write and goes on serving', async ({ skip }) => {
  const reason = lack()
  if (reason !== null) return skip(reason)
  const { hosts } = new Network(3, world)
  for (const host of hosts) host.start(world, hosts)
  const [first] = hosts as [Host]
  const leaderName = await until('a leader', 30_000, () => first.leader())
  await first.ask('POST', '/objects', pipeline('p', mock(200, 'one')))
  const made = await first.ask('POST', '/objects?wait=cluster', httpServer('s', TRAFFIC_PORT, 'p'))
  expect(made).toMatchObject({ status: 201 })

  const leader = hosts.find(({ name }) => name === leaderName) as Host
  const [second, third] = hosts.filter((host) => host !== leader) as [Host, Host]
  leader.pullOut()
  await until('a write among those that are left', 15_000, async () => {
    return (await change(second, 'two')).status === 200
  })
  await until('the write on the other', 5_000, async () => (await third.serves()) === 'two')
  // The one that is alone serves what it had, says so, and takes nothing.
  expect(await leader.serves()).toBe('one')
  expect((await change(leader, 'lost')).status).toBe(503)
  const read = await leader.ask('GET', '/objects/p')
  expect(read).toMatchObject({ status: 200, text: expect.stringContaining('one') })
  expect(read.headers.map(([name]) => name)).toContain('x-easegress-stale')
  leader.plugIn()
  await until('the last write on the one that was away', 20_000, async () => {
    return (await leader.serves()) === 'two'
  })

  // Nobody hears the one, and it hears all: it must not keep them from agreeing.
  third.loseWayTo(leader)
  third.loseWayTo(second)
  await until('a write beside the one that is not heard', 15_000, async () => {
    return (await change(second, 'three')).status === 200
  })
  await until('the write on the other', 5_000, async () => (await leader.serves()) === 'three')
  third.findWayTo(leader)
  third.findWayTo(second)
  await until('a write that all three run', 20_000, async () => {
    return (await change(leader, 'four', '?wait=cluster')).status === 200
  })
  for (const host of hosts) expect(await host.serves()).toBe('four')
}, 180_000)

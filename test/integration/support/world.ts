import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach } from 'vitest'
import { BackEnd, RawBackEnd } from './back-end.js'
import { Gateway, type GatewayOptions } from './gateway.js'
import { MIRROR } from './paths.js'
import { freePort } from './ports.js'
import { Program } from './program.js'
import { RawClient } from './raw-client.js'
import { until } from './wait.js'

/**
 * All that the tests of one file start. It is ended after the last of them, in the reverse order,
 * and what it printed is shown when one failed.
 */
export class World {
  readonly #endings: (() => void | Promise<void>)[] = []
  readonly #gateways: Gateway[] = []
  readonly #programs: Program[] = []

  /** A directory that goes away with the world. */
  dir(): string {
    const dir = mkdtempSync(join(tmpdir(), 'easegress-test-'))
    this.atEnd(() => rmSync(dir, { recursive: true, force: true }))
    return dir
  }

  atEnd(ending: () => void | Promise<void>): void {
    this.#endings.push(ending)
  }

  /** A gateway in a directory of its own, healthy. */
  async gateway(options: Partial<GatewayOptions> = {}): Promise<Gateway> {
    const gateway = await this.startGateway(options)
    await gateway.healthy()
    return gateway
  }

  /** The same, not waited for. */
  async startGateway(options: Partial<GatewayOptions> = {}): Promise<Gateway> {
    const { home = this.dir(), apiPort = await freePort(), ...rest } = options
    const gateway = new Gateway({ home, apiPort, ...rest })
    this.#gateways.push(gateway)
    this.atEnd(() => gateway.dispose())
    return gateway
  }

  program(...args: ConstructorParameters<typeof Program>): Program {
    const program = new Program(...args)
    this.#programs.push(program)
    this.atEnd(async () => {
      program.kill('SIGKILL')
      await program.end()
    })
    return program
  }

  /** The mirror of the README on these ports, listening. */
  async mirror(...ports: number[]): Promise<Program> {
    const mirror = this.program('mirror', process.execPath, [MIRROR, ...ports.map(String)])
    await until('the mirror', 5_000, () =>
      ports.every((port) => mirror.stdout.includes(`listens on ${port}\n`)),
    )
    return mirror
  }

  async rawBackEnd(...args: Parameters<typeof RawBackEnd.start>): Promise<RawBackEnd> {
    const backEnd = await RawBackEnd.start(...args)
    this.atEnd(() => backEnd.close())
    return backEnd
  }

  async backEnd(...args: Parameters<typeof BackEnd.start>): Promise<BackEnd> {
    const backEnd = await BackEnd.start(...args)
    this.atEnd(() => backEnd.close())
    return backEnd
  }

  async client(...args: Parameters<typeof RawClient.connect>): Promise<RawClient> {
    const client = await RawClient.connect(...args)
    this.atEnd(() => client.destroy())
    return client
  }

  async end(): Promise<void> {
    for (const ending of this.#endings.reverse()) await ending()
    this.#endings.length = 0
  }

  /** What has ended before this test is not of interest to it. */
  forgetEnded(): void {
    const forget = (list: { readonly isEnded: boolean }[]): void => {
      list.splice(0, list.length, ...list.filter((each) => !each.isEnded))
    }
    forget(this.#programs)
    forget(this.#gateways)
  }

  report(): string {
    const programs = [...this.#programs, ...this.#gateways.map((gateway) => gateway.program)]
    return programs.map((program) => program.output()).join('\n')
  }
}

/** The world of a test file; to be called once, at its top. */
export function openWorld(): World {
  const world = new World()
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') process.stderr.write(`\n${world.report()}\n`)
    world.forgetEnded()
  })
  afterAll(() => world.end())
  return world
}

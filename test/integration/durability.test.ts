/**
 * What was acknowledged is there after `kill -9`, whole, and what was not is there whole or not at
 * all. `SEED=123` replays the moments and the writes of one run, `DURABILITY_ROUNDS=1000` is a night.
 */
import { expect, it } from 'vitest'
import { Prng } from '../../src/lib/prng.js'
import { httpServer, mock, pipeline } from './support/documents.js'
import type { Document, Gateway } from './support/gateway.js'
import { ask } from './support/http.js'
import { freePort } from './support/ports.js'
import { killPid } from './support/program.js'
import { sleep, until } from './support/wait.js'
import { openWorld } from './support/world.js'

const SEED = Number(process.env['SEED'] ?? 4_711)
const ROUNDS = Number(process.env['DURABILITY_ROUNDS'] ?? 10)
const WRITERS = 4
const NAMES_EACH = 6

const world = openWorld()

/** A text as it was sent, or null for no such object. */
type Content = string | null

/** What one name holds for sure, and what a write that was never answered may have made of it. */
interface Known {
  acknowledged: Content
  pending: { readonly content: Content } | null
}

class Writer {
  readonly #gateway: Gateway
  readonly #prng: Prng
  readonly names: readonly string[]
  readonly known = new Map<string, Known>()
  acknowledgedCount = 0
  #serial = 0

  constructor(gateway: Gateway, index: number) {
    this.#gateway = gateway
    this.#prng = new Prng(SEED * 100 + index)
    this.names = Array.from({ length: NAMES_EACH }, (_, i) => `w${index}-${i}`)
    for (const name of this.names) this.known.set(name, { acknowledged: null, pending: null })
  }

  /** Writes until one write gets no answer: the server is gone. */
  async run(): Promise<void> {
    for (;;) {
      const name = this.#prng.pick(this.names)
      const known = this.known.get(name) as Known
      const exists = known.acknowledged !== null
      const content = exists && this.#prng.chance(30) ? null : this.#text(name)
      known.pending = { content }
      try {
        const { status, text } = await this.#send(name, content, exists)
        // Between the death of the child and its next life.
        if (status === 503) return
        if (status >= 300) throw new Error(`${name}: unexpected ${status}: ${text}`)
        known.acknowledged = content
        known.pending = null
        this.acknowledgedCount += 1
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code === undefined && !isCut(thrown)) throw thrown
        return
      }
    }
  }

  #send(name: string, content: Content, exists: boolean) {
    if (content === null) return this.#gateway.admin('DELETE', `/objects/${name}`)
    return exists
      ? this.#gateway.admin('PUT', `/objects/${name}`, content)
      : this.#gateway.admin('POST', '/objects', content)
  }

  #text(name: string): string {
    this.#serial += 1
    const size = this.#prng.chance(10) ? this.#prng.below(200_000) : this.#prng.below(2_000)
    const tag = `${name}#${this.#serial}`
    return JSON.stringify(pipeline(name, mock(200, `${tag} ${'x'.repeat(size)}`)))
  }
}

const isCut = (thrown: unknown): boolean => /hang up|cut off/.test(String(thrown))

/** What the mock of a pipeline's text answers. */
function bodyOf(content: string): string {
  const { filters } = JSON.parse(content) as { filters: { rules: { body: string }[] }[] }
  return filters[0]?.rules[0]?.body ?? ''
}

it(`kill -9 at random moments under writes loses nothing acknowledged (SEED=${SEED})`, async () => {
  const gateway = await world.gateway()
  const prng = new Prng(SEED)
  const port = await freePort()
  const writers = Array.from({ length: WRITERS }, (_, i) => new Writer(gateway, i))
  const names = writers.flatMap((writer) => writer.names)
  const rules = [{ paths: names.map((name) => ({ path: `/${name}`, backend: name })) }]
  await gateway.create({ kind: 'HTTPServer', name: 's', port, rules })

  for (let round = 1; round <= ROUNDS; round++) {
    const where = `SEED=${SEED} round ${round}`
    const writing = Promise.all(writers.map((writer) => writer.run()))
    await sleep(20 + prng.below(500))
    if (round % 2 === 0) {
      await gateway.kill9()
      await writing
      await gateway.restart()
    } else {
      const child = gateway.childPid()
      killPid(child, 'SIGKILL')
      await writing
      await until(
        'the next child',
        10_000,
        () => gateway.hasChild() && gateway.childPid() !== child,
      )
      await gateway.healthy()
    }

    for (const { known } of writers) {
      for (const [name, state] of known) {
        const { status, text } = await gateway.admin('GET', `/objects/${name}`)
        expect([200, 404], `${where}: ${name}`).toContain(status)
        const found = status === 200 ? text : null
        const right = state.pending === null ? [] : [state.pending.content]
        if (!right.includes(found)) {
          expect(found?.slice(0, 120), `${where}: ${name}`).toBe(state.acknowledged?.slice(0, 120))
          expect(found === state.acknowledged, `${where}: ${name}, the end of it`).toBe(true)
        }
        state.acknowledged = found
        state.pending = null
        const answer = await ask({ port, path: `/${name}` })
        if (found === null) expect(answer.status, `${where}: ${name}`).toBe(503)
        else
          expect(answer.text === bodyOf(found), `${where}: ${name} serves what it says`).toBe(true)
      }
    }
  }
  const acknowledged = writers.reduce((sum, each) => sum + each.acknowledgedCount, 0)
  expect(acknowledged).toBeGreaterThan(ROUNDS * 5)

  // The version counts every write that was acknowledged, and at most those that were not.
  const version = await gateway.configVersion()
  expect(version).toBeGreaterThanOrEqual(acknowledged + 1)
  expect(version).toBeLessThanOrEqual(acknowledged + 1 + ROUNDS * WRITERS)
  expect(await gateway.stop()).toEqual({ code: 0, signal: null })
  await gateway.restart()
  expect(await gateway.configVersion()).toBe(version)
  await gateway.dispose()
}, 180_000)

it('a write that got no answer takes effect once when it is sent again with its id', async () => {
  const gateway = await world.gateway()
  const document: Document = pipeline('p', mock(200, 'once'))
  const id = { 'x-request-id': 'round-1' }
  const first = await gateway.admin('POST', '/objects', JSON.stringify(document), id)
  expect(first.status).toBe(201)
  await gateway.kill9()
  await gateway.restart()
  const again = await gateway.admin('POST', '/objects', JSON.stringify(document), id)
  expect(again.status).toBe(201)
  expect(again.headers['x-config-version']).toBe(first.headers['x-config-version'])
  expect(await gateway.configVersion()).toBe(1)
  expect((await gateway.admin('POST', '/objects', JSON.stringify(document))).status).toBe(409)
  await gateway.create(httpServer('s', await freePort(), 'p'))
  await gateway.dispose()
})

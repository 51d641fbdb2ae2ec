/**
 * Random changes of servers and pipelines under traffic. The driver knows what each route has to
 * answer before and after each change, so every answer is checked: on a route that stood unchanged
 * while a request was under way, there is exactly one right answer.
 *
 * `SEED=123` replays the changes of one run; `CHURN_CHANGES=100000` is a night.
 */
import { expect, it } from 'vitest'
import { Prng } from '../../src/lib/prng.js'
import { ChurnModel, type Expected, PATHS } from './support/churn-model.js'
import type { Document, Gateway } from './support/gateway.js'
import { ask, keptAlive } from './support/http.js'
import { freePorts } from './support/ports.js'
import { sleep } from './support/wait.js'
import { openWorld } from './support/world.js'

const SEED = Number(process.env['SEED'] ?? 20_211)
const CHANGES = Number(process.env['CHURN_CHANGES'] ?? 1_000)
/** Longest pause of each client between two requests, and whether it keeps its connections. */
const CLIENTS = [
  ...[2, 5, 10, 20].map((pauseMs) => ({ pauseMs, isKeeping: true })),
  // Connections that lie idle while ports close and open again.
  ...[500, 1_000, 2_000, 4_000].map((pauseMs) => ({ pauseMs, isKeeping: true })),
  ...[2, 10].map((pauseMs) => ({ pauseMs, isKeeping: false })),
]
const WRONG_MAX = 10

const world = openWorld()

/** A request under way, with every answer that was right at some moment since it began. */
interface Watching {
  readonly port: number
  readonly path: string
  readonly allowed: Set<Expected>
}

it(`${CHANGES} changes, and no answer but the right one (SEED=${SEED})`, async () => {
  const gateway = await world.gateway()
  const backEnd = await world.backEnd((request, response) => {
    request.resume()
    request.on('end', () => setTimeout(() => response.end(request.headers['x-tag']), 2))
  })
  const ports = await freePorts(4)
  const model = new ChurnModel(new Prng(SEED), ports, backEnd.url)
  const watched = new Set<Watching>()
  const wrong: string[] = []
  const counts = { requests: 0, stood: 0, reads: 0, versions: 0 }
  let change = 'before the first change'
  let isOver = false

  const child = gateway.childPid()
  const versionBefore = await gateway.configVersion()

  async function client(index: number, pauseMs: number, isKeeping: boolean): Promise<void> {
    const prng = new Prng(SEED + 1 + index)
    const agent = keptAlive()
    while (!isOver && wrong.length < WRONG_MAX) {
      await sleep(prng.below(pauseMs))
      const port = prng.pick(ports)
      const path = prng.pick(PATHS)
      const request: Watching = { port, path, allowed: new Set(model.expected(port, path)) }
      watched.add(request)
      const began = change
      const body = prng.chance(30) ? Buffer.alloc(prng.below(30_000), 'x') : undefined
      const got = await answerOf({
        port,
        path,
        ...(isKeeping ? { agent } : {}),
        ...(body === undefined ? {} : { body, method: 'POST' }),
      })
      watched.delete(request)
      counts.requests += 1
      if (request.allowed.size === 1) counts.stood += 1
      if (isRight(got, request.allowed)) continue
      const kept = isKeeping ? 'kept' : 'new'
      wrong.push(
        `${kept} connection, :${port}${path}: got ${got}, right were ` +
          `${[...request.allowed].join(' | ')}; from ${began} to ${change}`,
      )
    }
    agent.destroy()
  }

  const write = (op: string, document: Document) =>
    op === 'create' ? gateway.create(document) : gateway.update(document)

  const clients = CLIENTS.map(({ pauseMs, isKeeping }, i) => client(i, pauseMs, isKeeping))

  for (let i = 1; i <= CHANGES && wrong.length < WRONG_MAX; i++) {
    const { op, name, document, isNew } = model.begin()
    if (isNew) counts.versions += 1
    change = `change ${i} (${op} ${name})`
    const changed: Watching[] = []
    for (const port of ports) {
      for (const path of PATHS) {
        const [now, next] = model.expected(port, path)
        if (now !== next) changed.push({ port, path, allowed: new Set([next]) })
        for (const each of watched) {
          if (each.port === port && each.path === path) each.allowed.add(next)
        }
      }
    }
    if (i % 50 === 0) await writeByCommand(gateway, op, name, document)
    else {
      const { headers } = document === null ? await gateway.remove(name) : await write(op, document)
      const version = versionBefore + counts.versions
      expect(headers['x-config-version'], `SEED=${SEED} ${change}`).toBe(String(version))
    }
    model.settle()
    change = `after ${change}`

    // Read your writes: what was acknowledged holds for the very next request, on any worker.
    for (const { port, path, allowed } of changed.slice(0, 2)) {
      const got = await answerOf({ port, path })
      counts.reads += 1
      if (!isRight(got, allowed)) {
        wrong.push(`right ${change}, :${port}${path}: got ${got}, expected ${[...allowed].join()}`)
      }
    }
  }
  isOver = true
  await Promise.all(clients)

  expect(wrong, `SEED=${SEED}`).toEqual([])
  // Enough was asked, and most of it of routes that stood unchanged.
  expect(counts.stood).toBeGreaterThan(CHANGES)
  expect(counts.reads).toBeGreaterThan(CHANGES / 10)
  expect(await gateway.configVersion()).toBe(versionBefore + counts.versions)
  expect(gateway.childPid()).toBe(child)
  expect(gateway.log).not.toContain('"level":"error"')
}, 180_000)

async function answerOf(options: Parameters<typeof ask>[0]): Promise<string> {
  try {
    const { status, text } = await ask(options)
    return status === 200 ? `200 ${text}` : String(status)
  } catch (thrown) {
    return `failed: ${(thrown as NodeJS.ErrnoException).code ?? String(thrown)}`
  }
}

function isRight(got: string, allowed: ReadonlySet<Expected>): boolean {
  if (allowed.has(got as Expected)) return true
  // Nobody listens: refused, cut, or, on a connection from before, 503.
  return allowed.has('closed') && (got === '503' || got.startsWith('failed: ECONN'))
}

async function writeByCommand(
  gateway: Gateway,
  op: string,
  name: string,
  document: unknown,
): Promise<void> {
  const { code, stderr } =
    op === 'delete'
      ? await gateway.egctl(['object', 'delete', name])
      : await gateway.egctl(['object', op], JSON.stringify(document))
  if (code !== 0) throw new Error(`egctl object ${op} ${name}: ${stderr}`)
}

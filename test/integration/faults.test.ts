/** Threads and processes that end in every way, while traffic flows. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import type http from 'node:http'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Prng } from '../../src/lib/prng.js'
import { httpServer, mock, pipeline, proxy } from './support/documents.js'
import type { Gateway } from './support/gateway.js'
import { ask, keptAlive } from './support/http.js'
import { listenerCount } from './support/kernel.js'
import { freePort } from './support/ports.js'
import { isAlive, killPid } from './support/program.js'
import type { RawClient } from './support/raw-client.js'
import { sleep, until } from './support/wait.js'
import { openWorld } from './support/world.js'

const SEED = Number(process.env['SEED'] ?? 1_848)

const world = openWorld()

interface Setting {
  readonly gateway: Gateway
  readonly port: number
  /** Breaks something, as told to the fault door. */
  order(line: string): void
}

/** A gateway of two workers with the fault door open, and a server in front of a pipeline. */
async function setting(
  filter: Readonly<Record<string, unknown>>,
  flags: readonly string[] = [],
): Promise<Setting> {
  const home = world.dir()
  const faultFile = join(home, 'fault')
  const gateway = await world.gateway({ home, flags, env: { EASEGRESS_FAULT_FILE: faultFile } })
  const port = await freePort()
  await gateway.create(pipeline('p', filter))
  await gateway.create(httpServer('s', port, 'p'))
  const order = (line: string): void => {
    writeFileSync(`${faultFile}.new`, `${line}\n`)
    renameSync(`${faultFile}.new`, faultFile)
  }
  return { gateway, port, order }
}

/** A client that asks without a pause over one kept connection; what failed, and on how many. */
class SteadyClient {
  readonly #agent: http.Agent | undefined
  readonly #port: number
  readonly failures: string[] = []
  answers = 0
  #isOver = false
  readonly #done: Promise<void>

  constructor(port: number, isKeeping: boolean) {
    this.#port = port
    this.#agent = isKeeping ? keptAlive() : undefined
    this.#done = this.#run()
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      try {
        const agent = this.#agent === undefined ? {} : { agent: this.#agent }
        const { status } = await ask({ port: this.#port, ...agent })
        if (status === 200) this.answers += 1
        else this.failures.push(`status ${status}`)
      } catch (thrown) {
        this.failures.push(String(thrown))
      }
      await sleep(2)
    }
    this.#agent?.destroy()
  }

  async end(): Promise<this> {
    this.#isOver = true
    await this.#done
    return this
  }
}

it('a worker that throws outside any exchange is replaced within a second, the others serve on', async () => {
  const { gateway, port, order } = await setting(mock(200, 'here'))
  const child = gateway.childPid()
  // With 24 connections both workers have some, but for one run in eight million.
  const kept = Array.from({ length: 24 }, () => new SteadyClient(port, true))
  await until('traffic', 5_000, () => kept.every((client) => client.answers > 5))
  expect(listenerCount(port)).toBe(2)

  order('worker 0 throw')
  await until('the end of a worker', 5_000, () => listenerCount(port) === 1, 1)
  const endedMs = performance.now()
  await until('its replacement', 5_000, () => listenerCount(port) === 2, 1)
  expect(performance.now() - endedMs).toBeLessThan(1_000)

  const before = kept.map((client) => client.answers)
  await until('traffic', 5_000, () => kept.every((client, i) => client.answers > before[i]! + 5))
  await Promise.all(kept.map((client) => client.end()))
  // Only connections of that worker were cut, each once: their next request is served.
  for (const { failures } of kept) expect(failures.length, failures.join()).toBeLessThanOrEqual(1)
  expect(kept.filter(({ failures }) => failures.length === 0).length).toBeGreaterThan(0)
  expect(gateway.childPid()).toBe(child)

  // The new one has the newest objects before it listens, and gets the next change too.
  await gateway.update(pipeline('p', mock(200, 'changed')))
  for (let i = 0; i < 20; i++) expect((await ask({ port })).text).toBe('changed')
  await gateway.dispose()
})

it('what a dead worker had counted against a limit is given back', async () => {
  const { gateway, port, order } = await setting(mock(200, 'here'))
  await gateway.update(httpServer('s', port, 'p', { maxConnections: 8 }))
  const fill = async (): Promise<RawClient[]> => {
    const clients: RawClient[] = []
    for (let i = 0; i < 8; i++) {
      const client = await world.client(port)
      client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      expect((await client.answer()).status).toBe(200)
      clients.push(client)
    }
    return clients
  }
  const clients = await fill()
  order('worker 0 throw\nworker 1 throw')
  for (const client of clients) await client.closing(5_000)
  await until('both replacements', 5_000, () => listenerCount(port) === 2)
  await fill()
  await gateway.dispose()
})

it('a worker in an endless loop costs one restart of the process, under two seconds', async () => {
  const { gateway, port, order } = await setting(mock(200, 'here'))
  const child = gateway.childPid()
  order('worker 1 loop')
  await until('the end of the process', 15_000, () => !isAlive(child), 5)
  const endedMs = performance.now()
  await until('traffic', 10_000, async () => (await ask({ port, timeoutMs: 500 })).status === 200)
  expect(performance.now() - endedMs).toBeLessThan(2_000)
  const second = gateway.childPid()
  expect(second).not.toBe(child)
  await gateway.healthy()
  expect(await gateway.configVersion()).toBe(2)
  await sleep(1_000)
  expect(gateway.childPid()).toBe(second)
  expect(gateway.log).toContain('hangs')
  await gateway.dispose()
})

it('the coordinator may crash under traffic: no request fails, the admin API comes back', async () => {
  const { gateway, port, order } = await setting(mock(200, 'here'))
  const child = gateway.childPid()
  const clients = [true, true, true, false].map((isKeeping) => new SteadyClient(port, isKeeping))
  for (let crash = 1; crash <= 3; crash++) {
    order('coordinator throw')
    // While it is away the admin API says so; the first answers after the order may be earlier.
    await until('the end of the coordinator', 5_000, async () => {
      return (await gateway.admin('GET', '/objects/p')).status === 503
    })
    await until('the next one', 10_000, async () => {
      return (await gateway.admin('GET', '/objects/p')).status === 200
    })
    // It knows what the workers run, and brings them the next change.
    await gateway.update(pipeline('p', mock(200, `crash ${crash}`)))
    expect((await ask({ port })).text).toBe(`crash ${crash}`)
  }
  expect(await gateway.status('s')).toMatchObject({ state: 'running' })
  for (const client of clients) {
    const { failures, answers } = await client.end()
    expect(failures).toEqual([])
    expect(answers).toBeGreaterThan(10)
  }
  expect(gateway.childPid()).toBe(child)
  await gateway.dispose()
})

it(`every acknowledged write is seen at once, while threads crash (SEED=${SEED})`, async () => {
  const { gateway, port, order } = await setting(mock(200, '0'))
  const prng = new Prng(SEED)
  const child = gateway.childPid()
  // What an answer may be, oldest first: what was acknowledged or seen last, and what was written
  // after it with an unknown end. Such a write may come to life long after: when the coordinator is
  // back and its log is read.
  let allowed = ['0']
  let acknowledged = 0
  let isOver = false
  const breaking = (async () => {
    for (let i = 0; i < 12; i++) {
      await sleep(150 + prng.below(300))
      // Few enough crashes of the coordinator that it is not given up; one worker always serves.
      order(i % 4 === 0 ? 'coordinator throw' : 'worker 0 throw')
    }
    isOver = true
  })()
  for (let n = 1; !isOver; n++) {
    const text = String(n)
    const { status, text: said } = await gateway.admin(
      'PUT',
      '/objects/p',
      JSON.stringify(pipeline('p', mock(200, text))),
    )
    if (status === 200) {
      acknowledged += 1
      allowed = [text]
    } else {
      expect({ status, said }).toMatchObject({ status: 503 })
      if (said.includes('unknown')) allowed.push(text)
    }
    // A worker that ends takes its connections along, and what waited to be accepted.
    const seen = await until('an answer', 500, () => ask({ port }))
    expect(allowed, `SEED=${SEED} after write ${n}`).toContain(seen.text)
    // Once seen, nothing older comes back.
    allowed = allowed.slice(allowed.indexOf(seen.text))
  }
  await breaking
  expect(acknowledged).toBeGreaterThan(10)
  expect(gateway.childPid()).toBe(child)
  await gateway.dispose()
}, 60_000)

it('a coordinator that crashes again and again stays down, traffic goes on', async () => {
  const { gateway, port, order } = await setting(mock(200, 'here'))
  const client = new SteadyClient(port, true)
  const down = await until('the sixth crash', 30_000, async () => {
    const answer = await gateway.admin('GET', '/objects/p')
    if (answer.status === 200) {
      order('coordinator throw')
      await sleep(50)
    }
    return answer.text.includes('stays down') ? answer : undefined
  })
  expect(down.status).toBe(503)
  expect((await gateway.egctl(['object', 'list'])).stderr).toContain('crashed too often')
  expect((await ask({ port })).text).toBe('here')
  expect((await client.end()).failures).toEqual([])
  expect(await gateway.stop()).toEqual({ code: 0, signal: null })
})

it.each(['SIGTERM', 'SIGINT'] as const)(
  '%s: requests under way are finished, then exit code 0',
  async (signal) => {
    const backEnd = await world.backEnd((request, response) => {
      request.resume()
      setTimeout(() => response.end('slow'), 1_500)
    })
    const { gateway, port } = await setting(proxy(backEnd.url))
    const idle = await world.client(port)
    const agent = keptAlive(6)
    const slow = Array.from({ length: 6 }, () => ask({ port, agent }))
    await until('requests at the back end', 5_000, () => backEnd.requests === 6)
    gateway.program.kill(signal)
    await until('closed ports', 3_000, () => listenerCount(port) === 0)
    await expect(ask({ port })).rejects.toThrow('ECONNREFUSED')
    for (const answer of await Promise.all(slow)) {
      expect(answer).toMatchObject({ status: 200, text: 'slow' })
      expect(answer.headers.connection).toBe('close')
    }
    const beganMs = performance.now()
    expect(await gateway.program.end()).toEqual({ code: 0, signal: null })
    // It does not wait for the drain time, nor for idle connections.
    expect(performance.now() - beganMs).toBeLessThan(3_000)
    await idle.closing(1_000)
  },
)

it('what is not finished within the drain time is cut off', async () => {
  const backEnd = await world.backEnd((request) => request.resume())
  const { gateway, port } = await setting(proxy(backEnd.url), ['--drain-time', '500ms'])
  const never = ask({ port })
  const cut = expect(never).rejects.toThrow('socket hang up')
  await until('the request at the back end', 5_000, () => backEnd.requests === 1)
  const beganMs = performance.now()
  expect(await gateway.stop()).toEqual({ code: 0, signal: null })
  expect(performance.now() - beganMs).toBeLessThan(3_000)
  await cut
})

it('a second signal ends at once', async () => {
  const backEnd = await world.backEnd((request) => request.resume())
  const { gateway, port } = await setting(proxy(backEnd.url))
  const child = gateway.childPid()
  const cut = expect(ask({ port })).rejects.toThrow()
  await until('the request at the back end', 5_000, () => backEnd.requests === 1)
  gateway.program.kill('SIGTERM')
  await until('closed ports', 3_000, () => listenerCount(port) === 0)
  expect(gateway.program.isEnded).toBe(false)
  gateway.program.kill('SIGTERM')
  expect(await gateway.program.end(2_000)).toEqual({ code: 255, signal: null })
  await until('the end of the child', 2_000, () => !isAlive(child))
  await cut
})

it('SIGHUP opens the log files anew', async () => {
  const { gateway, port } = await setting(mock(200, 'here'))
  const paths = ['stdout.log', 'filter_http_access.log'].map((name) =>
    join(gateway.home, 'log', name),
  )
  await ask({ port, path: '/before' })
  for (const path of paths) renameSync(path, `${path}.1`)
  gateway.program.kill('SIGHUP')
  await until('new files', 5_000, () => paths.every((path) => existsSync(path)))
  await gateway.update(httpServer('s', port, 'p', { cacheSize: 1 }))
  await ask({ port, path: '/after' })
  const [log = '', access = ''] = paths
  await until('lines in the new access log', 5_000, () =>
    readFileSync(access, 'utf8').includes('/after'),
  )
  expect(readFileSync(`${access}.1`, 'utf8')).not.toContain('/after')
  await gateway.stop()
  expect(readFileSync(log, 'utf8')).toContain('stopped')
  expect(readFileSync(`${log}.1`, 'utf8')).not.toContain('stopped')
})

it('without its parent the server finishes what is under way and ends', async () => {
  const backEnd = await world.backEnd((request, response) => {
    request.resume()
    setTimeout(() => response.end('slow'), 1_000)
  })
  const { gateway, port } = await setting(proxy(backEnd.url))
  const child = gateway.childPid()
  const slow = ask({ port })
  await until('the request at the back end', 5_000, () => backEnd.requests === 1)
  killPid(gateway.program.pid, 'SIGKILL')
  expect(await slow).toMatchObject({ status: 200, text: 'slow' })
  await until('the end of the child', 5_000, () => !isAlive(child))
})

it('a server that is killed is started again, with everything it had', async () => {
  const { gateway, port } = await setting(mock(200, 'here'))
  killPid(gateway.childPid(), 'SIGKILL')
  const beganMs = performance.now()
  await until('traffic', 10_000, async () => (await ask({ port, timeoutMs: 500 })).text === 'here')
  expect(performance.now() - beganMs).toBeLessThan(2_000)
  expect(gateway.program.isEnded).toBe(false)
  expect(gateway.program.stderr).toContain('server ended (SIGKILL), starting it again')
  await gateway.dispose()
})

it('without the variable there is no fault door', async () => {
  const home = world.dir()
  const gateway = await world.gateway({ home })
  expect(gateway.program.stdout).not.toContain('faults')
  expect(await gateway.stop()).toEqual({ code: 0, signal: null })
})

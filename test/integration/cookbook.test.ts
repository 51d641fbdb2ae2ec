/** Every page of the cookbook: its objects, its commands word for word, and what they print. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { commandsDir } from './support/commands.js'
import {
  CookbookBackEnd,
  cookbookPages,
  dialectOf,
  portsOf,
  readPage,
  type Step,
} from './support/cookbook.js'
import { expectStatus, type Gateway, run } from './support/gateway.js'
import { ask } from './support/http.js'
import { ROOT } from './support/paths.js'
import { freePort, isFree } from './support/ports.js'
import { until } from './support/wait.js'
import { openWorld } from './support/world.js'

const world = openWorld()
const dir = world.dir()
const COMMANDS = commandsDir(dir)

/** The ports of the gateway in the pages: for clients, and of its admin API. */
const TRAFFIC = 10_080
const ADMIN = 2381

/** One for all pages: with one worker, so that what each worker keeps for itself can be shown. */
let gateway: Gateway | null = null
const started = async (): Promise<Gateway> => {
  gateway ??= await world.gateway({ workers: 1 })
  return gateway
}

const nameOf = (document: string): string => /^name: (.+)$/m.exec(document)?.[1] ?? ''

async function apply(server: Gateway, dialect: 'v1' | 'v2', document: string): Promise<void> {
  const send = (method: string, path: string) =>
    ask({
      port: server.apiPort,
      method,
      path: `/apis/${dialect}/objects${path}`,
      headers: { 'content-length': Buffer.byteLength(document) },
      body: document,
    })
  const created = await send('POST', '')
  if (created.status === 409) expectStatus(await send('PUT', `/${nameOf(document)}`), 200)
  else expectStatus(created, 201)
}

/** What commands of the pages find: `egctl`, and the server that it talks to. */
const environment = (server: Gateway): Record<string, string> => ({
  PATH: `${COMMANDS}:${process.env['PATH']}`,
  EGCTL_SERVER: `127.0.0.1:${server.apiPort}`,
  HOME: dir,
  EASEGRESS: ROOT,
})

async function take(
  server: Gateway,
  dialect: 'v1' | 'v2',
  step: Step,
  ports: ReadonlyMap<number, number>,
) {
  if (step.type === 'objects') {
    for (const document of step.documents) await apply(server, dialect, document)
  } else if (step.type === 'program') {
    const file = join(dir, 'program.mjs')
    writeFileSync(file, step.text)
    world.program('program', process.execPath, [file])
    const own = [...ports.values()].filter((port) => step.text.includes(`listen(${port}`))
    await until('the program', 5_000, async () => !(await isFree(own[0] as number)))
  } else {
    const { stdout, stderr } = await run('bash', ['-c', step.text], {
      cwd: dir,
      env: environment(server),
    })
    expect(stdout.trimEnd(), `${step.text}\n${stderr}`).toBe(step.output)
  }
}

it('there are pages', () => {
  expect(cookbookPages().length).toBeGreaterThanOrEqual(10)
})

it.each(cookbookPages())('%s', async (page) => {
  const server = await started()
  // Of a page that failed.
  for (const { name } of await objectsOf(server)) await server.remove(name)
  const ports = new Map<number, number>()
  const text = JSON.stringify(readPage(page, (port) => port))
  ports.set(ADMIN, server.apiPort)
  for (const port of portsOf(page).filter((each) => each !== ADMIN)) {
    const isBackEnd = port !== TRAFFIC && !text.includes(`listen(${port}`)
    const backEnd = isBackEnd ? await world.backEnd(new CookbookBackEnd(port).handle) : null
    ports.set(port, backEnd === null ? await freePort() : backEnd.port)
  }
  const steps = readPage(page, (port) => ports.get(port) as number, join(dir, 'www'))
  // Variables and functions of the shell live on from one block to the next.
  let before = ''
  for (const step of steps) {
    const dialect = dialectOf(page)
    if (step.type !== 'commands') await take(server, dialect, step, ports)
    else {
      await take(server, dialect, { ...step, text: `${before}\n${step.text}` }, ports)
      before += variablesOf(step.text)
    }
  }
})

const variablesOf = (commands: string): string =>
  commands
    .split('\n')
    .filter((line) => /^\w+(=|\(\) \{)/.test(line))
    .map((line) => `${line}\n`)
    .join('')

async function objectsOf(server: Gateway): Promise<{ name: string }[]> {
  const { text } = await server.admin('GET', '/objects', undefined, { accept: 'application/json' })
  return JSON.parse(text) as { name: string }[]
}

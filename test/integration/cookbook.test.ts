/** Every page of the cookbook: its objects, its commands word for word, and what they print. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { CookbookBackEnd, cookbookPages, portsOf, readPage, type Step } from './support/cookbook.js'
import { expectStatus, type Gateway, run } from './support/gateway.js'
import { freePort, isFree } from './support/ports.js'
import { until } from './support/wait.js'
import { openWorld } from './support/world.js'

const world = openWorld()
const dir = world.dir()

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

async function apply(server: Gateway, document: string): Promise<void> {
  const created = await server.admin('POST', '/objects', document)
  if (created.status === 201) return
  const path = `/objects/${nameOf(document)}`
  expectStatus(await server.admin('PUT', path, document), 200)
}

async function take(server: Gateway, step: Step, ports: ReadonlyMap<number, number>) {
  if (step.type === 'objects') {
    for (const document of step.documents) await apply(server, document)
  } else if (step.type === 'program') {
    const file = join(dir, 'program.mjs')
    writeFileSync(file, step.text)
    world.program('program', process.execPath, [file])
    const own = [...ports.values()].filter((port) => step.text.includes(`listen(${port}`))
    await until('the program', 5_000, async () => !(await isFree(own[0] as number)))
  } else {
    const { stdout, stderr } = await run('bash', ['-c', step.text], { cwd: dir })
    expect(stdout.trimEnd(), `${step.text}\n${stderr}`).toBe(step.output)
  }
}

it('there are pages', () => {
  expect(cookbookPages().length).toBeGreaterThanOrEqual(10)
})

it.each(cookbookPages())('%s', async (page) => {
  const server = await started()
  const ports = new Map<number, number>()
  const text = JSON.stringify(readPage(page, (port) => port))
  ports.set(ADMIN, server.apiPort)
  for (const port of portsOf(page).filter((each) => each !== ADMIN)) {
    const isBackEnd = port !== TRAFFIC && !text.includes(`listen(${port}`)
    const backEnd = isBackEnd ? await world.backEnd(new CookbookBackEnd(port).handle) : null
    ports.set(port, backEnd === null ? await freePort() : backEnd.port)
  }
  const steps = readPage(page, (port) => ports.get(port) as number)
  // Variables of the shell live on from one block to the next.
  let before = ''
  for (const step of steps) {
    if (step.type !== 'commands') await take(server, step, ports)
    else {
      await take(server, { ...step, text: `${before}\n${step.text}` }, ports)
      before += variablesOf(step.text)
    }
  }
  for (const { name } of await objectsOf(server)) await server.remove(name)
})

const variablesOf = (commands: string): string =>
  commands
    .split('\n')
    .filter((line) => /^\w+=/.test(line))
    .map((line) => `${line}\n`)
    .join('')

async function objectsOf(server: Gateway): Promise<{ name: string }[]> {
  const { text } = await server.admin('GET', '/objects', undefined, { accept: 'application/json' })
  return JSON.parse(text) as { name: string }[]
}

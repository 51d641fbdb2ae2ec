/** This gateway as a side of a comparison: the build that runs the bench, or another one. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseYaml } from '../../../src/spec/yaml.js'
import { ask } from '../ask.js'
import { freePort, until } from '../children.js'
import { DEFAULT_TARGET } from '../loadgen.js'
import { type Peer, type Place, type Site, type Subject, UnsupportedError } from '../site.js'
import { coresFor } from './launch.js'
import { changingOf, type GatewayObject, objectsFor } from './objects.js'

const REASON_CHARS_MAX = 500
const PUTS_AT_A_TIME = 8
/** Of no use where the document was generated. */
const PLACE = /^line \d+, column \d+: /

export const OUR_NAME = 'easegress-ts'

/** A build of the gateway. */
export interface Build {
  readonly name: string
  /** The folder that holds its `src/main.js`. */
  readonly dist: string
  /** For its node. */
  readonly flags: readonly string[]
}

/** Path of the objects in the admin API. */
export const OBJECTS = '/apis/v1/objects'

export interface GatewayOptions {
  readonly build: Build
  readonly place: Place
  readonly site: Site
  /** Beside the traffic port these are all there is. */
  objects(port: number): readonly GatewayObject[]
  /** As it is installed: with the small parent process in front. */
  readonly withParent?: boolean
  /** A path that is answered with 200 once the objects are at work; null: not waited for. */
  readonly ready?: string | null
}

/** Starts a gateway and gives it its objects. Rejects with {@link UnsupportedError} when refused. */
export async function startGateway(options: GatewayOptions): Promise<Subject> {
  const { build, place, site, objects, ready = DEFAULT_TARGET } = options
  const { household } = place
  const port = await freePort()
  const adminPort = await freePort()
  const parent = join(build.dist, 'src', 'parent.js')
  const withParent = options.withParent === true && existsSync(parent)
  const main = withParent ? parent : join(build.dist, 'src', 'main.js')
  const args = [...build.flags, main, '--traffic-host', '127.0.0.1']
  args.push('--api-addr', `127.0.0.1:${adminPort}`, '--workers', String(site.workers))
  args.push('--home-dir', household.newFolder(build.name))
  if (!site.accessLog) args.push('--disable-access-log')
  const child = household.start(process.execPath, args, { cores: coresFor(place, site) })
  const version = `${build.name} on node ${process.versions.node}`
  const tls = site.tls !== null
  const subject: Subject = { name: build.name, version, child, port, tls, adminPort }
  try {
    const health = { port: adminPort, path: '/apis/v1/healthz' }
    await until(build.name, child, async () => (await ask(health)).status === 200)
    await putObjects(subject, objects(port))
    if (ready !== null) {
      await until(
        build.name,
        child,
        async () => (await ask({ port, path: ready, tls })).status < 300,
      )
    }
  } catch (thrown) {
    await household.end(child)
    throw thrown
  }
  return subject
}

/**
 * Creates objects, a few at a time, in no order. Rejects with {@link UnsupportedError} when one is
 * refused.
 */
export async function putObjects(
  { adminPort }: Pick<Subject, 'adminPort'>,
  objects: readonly GatewayObject[],
  path = OBJECTS,
): Promise<void> {
  const left = [...objects]
  const putRest = async (): Promise<void> => {
    for (let object = left.shift(); object !== undefined; object = left.shift()) {
      const body = JSON.stringify(object)
      const answer = await ask({ port: adminPort ?? 0, path, method: 'POST', body })
      if (answer.status !== 201) throw new UnsupportedError(reasonOf(answer.body))
    }
  }
  await Promise.all(Array.from({ length: PUTS_AT_A_TIME }, putRest))
}

/** Why an object was refused, out of the answer of either dialect: YAML, or JSON, or plain text. */
export function reasonOf(body: string): string {
  const parsed = parseYaml(body)
  const value = parsed.ok ? parsed.documents[0]?.value : null
  const { message } = (value ?? {}) as { message?: unknown }
  const text = typeof message === 'string' ? message : body
  return text.trim().replace(PLACE, '').slice(0, REASON_CHARS_MAX)
}

/** A build of ours; its pipeline can be changed while it runs. */
export interface Gateway extends Peer {
  start(place: Place, site: Site): Promise<Required<Subject>>
}

export function gateway(build: Build): Gateway {
  const version = `${build.name} on node ${process.versions.node}`
  return {
    name: build.name,
    isOurs: true,
    version,
    async start(place, site) {
      const objects = (port: number): GatewayObject[] => objectsFor('v1', site, port)
      const subject = await startGateway({ build, place, site, objects })
      return { ...subject, changing: changingOf('v1', site, subject.adminPort ?? 0) }
    },
  }
}

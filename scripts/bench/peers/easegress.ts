/** Easegress itself, 1.0 or 2, when its server is given by path. */
import { spawnSync } from 'node:child_process'
import { ask } from '../ask.js'
import { freePort, until } from '../children.js'
import { DEFAULT_TARGET } from '../loadgen.js'
import { type Peer, UnsupportedError } from '../site.js'
import { findProgram } from '../tools.js'
import { putObjects } from './gateway.js'
import { coresFor } from './launch.js'
import { changingOf, type Dialect, objectsFor } from './objects.js'

/** Names of options differ between the two: what its help says decides. */
export function dialectOf(help: string): Dialect {
  return help.includes('--cluster-listen-client-urls') ? 'v1' : 'v2'
}

/** Releases of 2 call it one way or the other; 1.0 has none and writes its access log always. */
export const accessLogSwitch = (help: string): string | null =>
  /--disable-access(-log)?\b/.exec(help)?.[0] ?? null

/** Arguments that keep one off the usual ports. `switches`: what else it is to be told. */
export function easegressArgs(
  dialect: Dialect,
  ports: { readonly admin: number; readonly client: number; readonly peer: number },
  folder: string,
  switches: readonly string[],
): string[] {
  const prefix = dialect === 'v1' ? '--cluster-' : '--'
  const client = `http://127.0.0.1:${ports.client}`
  const peer = `http://127.0.0.1:${ports.peer}`
  const args = ['--api-addr', `127.0.0.1:${ports.admin}`, '--home-dir', folder]
  if (dialect === 'v1') args.push('--cluster-role', 'writer')
  args.push(`${prefix}listen-client-urls`, client, `${prefix}advertise-client-urls`, client)
  args.push(`${prefix}listen-peer-urls`, peer, `${prefix}initial-advertise-peer-urls`, peer)
  return [...args, ...switches]
}

/** Libraries that it is built with may have something to say before it. */
export const versionLine = (told: string): string =>
  /^easegress.*$/im.exec(told)?.[0] ?? 'easegress of an unknown version'

/** `path`: of `easegress-server`. Throws when there is none. */
export function easegress(path: string): Peer {
  const program = findProgram(path)
  if (program === null) throw new Error(`--easegress: ${path} is not a program`)
  const told = (flag: string): string => {
    const done = spawnSync(program, [flag], { encoding: 'utf8' })
    return `${done.stdout}${done.stderr}`.trim()
  }
  const help = told('--help')
  const dialect = dialectOf(help)
  const noAccessLog = accessLogSwitch(help)
  const peer = {
    name: dialect === 'v1' ? 'easegress 1' : 'easegress 2',
    isOurs: false,
    version: versionLine(told('--version')),
  }
  return {
    ...peer,
    async start(place, site) {
      if (site.workers > 1) throw new UnsupportedError('always uses all cores it is given')
      const [port, admin, client, peerPort] = [
        await freePort(),
        await freePort(),
        await freePort(),
        await freePort(),
      ] as const
      const folder = place.household.newFolder('easegress')
      const ports = { admin, client, peer: peerPort }
      const switches = site.accessLog || noAccessLog === null ? [] : [noAccessLog]
      const args = easegressArgs(dialect, ports, folder, switches)
      const env = { GOMAXPROCS: String(site.workers) }
      const child = place.household.start(program, args, { cores: coresFor(place, site), env })
      const tls = site.tls !== null
      const path = `/apis/${dialect}`
      const health = { port: admin, path: `${path}/healthz` }
      await until('easegress', child, async () => (await ask(health)).status === 200)
      const objects = objectsFor(dialect, site, port)
      await putObjects({ adminPort: admin }, objects, `${path}/objects`)
      await until('easegress', child, async () => {
        return (await ask({ port, path: DEFAULT_TARGET, tls })).status === 200
      })
      const changing = changingOf(dialect, site, admin)
      return { ...peer, child, port, tls, adminPort: admin, changing }
    },
  }
}

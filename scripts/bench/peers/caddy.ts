import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../children.js'
import { bodyOf, type Changing, fieldsSet, MOCK_HEADERS, type Peer, type Site } from '../site.js'
import { findProgram, versionOf } from '../tools.js'
import { launched } from './launch.js'

export interface CaddyPorts {
  readonly traffic: number
  readonly admin: number
}

/** The Caddyfile of a Caddy that does what `site` asks; an access log, if any, is in `folder`. */
export function caddyfile(site: Site, ports: CaddyPorts, folder: string): string {
  const scheme = site.tls === null ? 'http' : 'https'
  const hosts = ['127.0.0.1', 'localhost'].map((host) => `${scheme}://${host}:${ports.traffic}`)
  return `{
  admin 127.0.0.1:${ports.admin}
  auto_https off
  servers {
    protocols h1
    timeouts {
      idle 300s
    }
  }
}
${hosts.join(', ')} {
  bind 127.0.0.1
${site.tls === null ? '' : `  tls ${site.tls.cert} ${site.tls.key}\n`}${
  site.accessLog ? `  log {\n    output file ${folder}/access.log\n  }\n` : ''
}${site.mockBytes === null ? proxying(site) : answering(site.mockBytes)}
}
`
}

function proxying(site: Site): string {
  const backEnds = site.backEnds.map((port) => `127.0.0.1:${port}`).join(' ')
  const fields = fieldsSet(site).map(([name, value]) => `    header_up ${name} ${value}\n`)
  return `  reverse_proxy ${backEnds} {
    lb_policy round_robin
${fields.join('')}    transport http {
      versions 1.1
      compression off
      keepalive 300s
      keepalive_idle_conns ${site.connections * site.backEnds.length}
      keepalive_idle_conns_per_host ${site.connections}
    }
  }`
}

function answering(bytes: number): string {
  const fields = Object.entries(MOCK_HEADERS).map(([name, value]) => `  header ${name} ${value}\n`)
  return `${fields.join('')}  respond "${bodyOf(bytes)}" 200`
}

/** The whole configuration is loaded again, be it the same. */
function changing(port: number, body: string): Changing {
  const headers = { 'Content-Type': 'text/caddyfile', 'Cache-Control': 'must-revalidate' }
  return {
    port,
    requests: [{ path: '/load', method: 'POST', headers, body, expect: { status: '200' } }],
  }
}

/** Null when it is not installed. */
export function caddy(): Peer | null {
  const program = findProgram('caddy')
  if (program === null) return null
  const peer = { name: 'caddy', isOurs: false, version: `caddy ${versionOf(program, 'version')}` }
  return {
    ...peer,
    async start(place, site) {
      const port = await freePort()
      const folder = place.household.newFolder('caddy')
      const file = join(folder, 'Caddyfile')
      const admin = await freePort()
      const text = caddyfile(site, { traffic: port, admin }, folder)
      writeFileSync(file, text)
      const args = ['run', '--config', file, '--adapter', 'caddyfile']
      const env = {
        GOMAXPROCS: String(site.workers),
        HOME: folder,
        XDG_CONFIG_HOME: folder,
        XDG_DATA_HOME: folder,
      }
      const subject = await launched({ ...peer, place, site, port, program, args, env })
      return { ...subject, changing: changing(admin, text) }
    },
  }
}

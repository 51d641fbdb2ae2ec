import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../children.js'
import { bodyOf, fieldsSet, MOCK_HEADERS, type Peer, type Site, UnsupportedError } from '../site.js'
import { findProgram, versionOf } from '../tools.js'
import { launched } from './launch.js'

/** The configuration of an HAProxy that does what `site` asks. */
export function haproxyConf(site: Site, port: number): string {
  const tls = site.tls === null ? '' : ` ssl crt ${site.tls.both} alpn http/1.1`
  return `global
  nbthread ${site.workers}
  maxconn 16000
  no strict-limits
defaults
  mode http
  http-reuse always
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
frontend front
  bind 127.0.0.1:${port} backlog 4096${tls}
${site.mockBytes === null ? proxying(site) : answering(site.mockBytes)}
`
}

function proxying(site: Site): string {
  const fields = fieldsSet(site).map(
    ([name, value]) => `  http-request set-header ${name} ${value}\n`,
  )
  const servers = site.backEnds.map(
    (backEnd, i) => `  server s${i} 127.0.0.1:${backEnd} pool-max-conn -1 pool-purge-delay 300s\n`,
  )
  return `${fields.join('')}  default_backend back
backend back
  balance roundrobin
${servers.join('')}`
}

function answering(bytes: number): string {
  return (
    `  http-request return status 200 content-type ${MOCK_HEADERS['Content-Type']} ` +
    `string "${bodyOf(bytes)}" hdr server ${MOCK_HEADERS.Server} hdr date %[date,http_date]`
  )
}

/** Null when it is not installed. */
export function haproxy(): Peer | null {
  const program = findProgram('haproxy')
  if (program === null) return null
  const peer = { name: 'haproxy', isOurs: false, version: versionOf(program, '-v') }
  return {
    ...peer,
    async start(place, site) {
      if (site.accessLog) throw new UnsupportedError('logs to syslog only')
      const port = await freePort()
      const conf = join(place.household.newFolder('haproxy'), 'haproxy.cfg')
      writeFileSync(conf, haproxyConf(site, port))
      // In the foreground, with a master process, which can replace the one that serves.
      const args = ['-W', '-db', '-f', conf]
      const subject = await launched({ ...peer, place, site, port, program, args })
      return { ...subject, changing: { reload: () => subject.child.process.kill('SIGUSR2') } }
    },
  }
}

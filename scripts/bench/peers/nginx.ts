import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../children.js'
import {
  bodyOf,
  fieldsSet,
  type PathRoute,
  type Peer,
  type Place,
  type Site,
  type Subject,
} from '../site.js'
import { findProgram, versionOf } from '../tools.js'
import { launched } from './launch.js'

/** nginx takes no longer parameter than its buffer of 4 KB. */
const PIECE_BYTES = 1024

/** The configuration of an nginx that does what `site` asks; its files are in `folder`. */
export function nginxConf(site: Site, port: number, folder: string): string {
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/temp;`)
    .join(' ')
  const words = [site.workers > 1 ? ' reuseport' : '', site.tls === null ? '' : ' ssl'].join('')
  return `daemon off;
worker_processes ${site.workers};
pid ${folder}/pid;
error_log ${folder}/error.log error;
worker_rlimit_nofile 20000;
events { worker_connections 16384; }
http {
  access_log ${site.accessLog ? `${folder}/access.log` : 'off'};
  ${temp}
  server_tokens off;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  default_type text/plain;
${site.mockBytes === null ? upstream(site) : ''}  server {
    listen 127.0.0.1:${port} backlog=4096${words};
${tls(site)}${site.routes.map((route) => location(locationOf(route), site)).join('')}${location('/', site)}  }
}
`
}

const location = (match: string, site: Site): string => `    location ${match} {
${site.mockBytes === null ? proxying(site) : answering(site.mockBytes)}
    }
`

/** As fast as nginx has it: a prefix that fits ends the search, no pattern is tried then. */
function locationOf({ path, pathPrefix, pathRegexp }: PathRoute): string {
  if (path !== undefined) return `= ${path}`
  return pathPrefix === undefined ? `~ "${pathRegexp}"` : `^~ ${pathPrefix}`
}

function upstream({ backEnds, connections }: Site): string {
  const servers = backEnds.map((port) => `server 127.0.0.1:${port};`).join(' ')
  const kept = connections * backEnds.length
  return `  upstream back { ${servers} keepalive ${kept}; keepalive_requests 1000000000; keepalive_timeout 300s; }
`
}

function tls(site: Site): string {
  if (site.tls === null) return ''
  return `    ssl_certificate ${site.tls.cert};
    ssl_certificate_key ${site.tls.key};
    ssl_session_cache shared:bench:4m;
`
}

function proxying(site: Site): string {
  const lines = [
    'proxy_pass http://back;',
    'proxy_http_version 1.1;',
    'proxy_set_header Connection "";',
    ...fieldsSet(site).map(([name, value]) => `proxy_set_header ${name} "${value}";`),
  ]
  if (site.bigBodies) {
    // Bodies pass through memory of bounded size, as in the other servers, and never over the disk.
    lines.push('client_max_body_size 0;', 'proxy_request_buffering off;')
    lines.push('proxy_max_temp_file_size 0;', 'client_body_buffer_size 64k;')
    lines.push('proxy_buffer_size 64k;', 'proxy_buffers 8 64k;', 'proxy_busy_buffers_size 128k;')
  }
  return lines.map((line) => `      ${line}`).join('\n')
}

function answering(bytes: number): string {
  const rest = bytes % PIECE_BYTES
  // Braces: a digit may follow.
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of nginx
  const whole = '${piece}'.repeat((bytes - rest) / PIECE_BYTES)
  const piece = whole === '' ? '' : `      set $piece "${bodyOf(PIECE_BYTES)}";\n`
  return `${piece}      return 200 "${whole}${bodyOf(rest)}";`
}

/** Null when it is not installed. */
export function nginx(): Peer | null {
  const program = findProgram('nginx')
  if (program === null) return null
  const peer = { name: 'nginx', isOurs: false, version: versionOf(program, '-v') }
  return { ...peer, start: (place, site) => start(peer, program, place, site) }
}

async function start(
  peer: Omit<Peer, 'start'>,
  program: string,
  place: Place,
  site: Site,
): Promise<Subject> {
  const port = await freePort()
  const folder = place.household.newFolder('nginx')
  mkdirSync(join(folder, 'temp'))
  const conf = join(folder, 'nginx.conf')
  writeFileSync(conf, nginxConf(site, port, folder))
  const args = ['-p', folder, '-e', join(folder, 'error.log'), '-c', conf]
  const subject = await launched({ ...peer, place, site, port, program, args })
  // It reads all of it again, whatever has changed.
  return { ...subject, changing: { reload: () => subject.child.process.kill('SIGHUP') } }
}

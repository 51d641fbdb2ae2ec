import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../children.js'
import { bodyOf, fieldsSet, MOCK_HEADERS, type Peer, type Site, UnsupportedError } from '../site.js'
import { findProgram, versionOf } from '../tools.js'
import { launched } from './launch.js'

const HTTP_EXTENSIONS = 'type.googleapis.com/envoy.extensions'

const address = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } })

const field = ([key, value]: readonly [string, string]) => ({
  header: { key, value },
  append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
})

/** The bootstrap of an Envoy that does what `site` asks (JSON, which Envoy reads as YAML). */
export function envoyConf(site: Site, port: number): string {
  const router = {
    name: 'envoy.filters.http.router',
    typed_config: {
      '@type': `${HTTP_EXTENSIONS}.filters.http.router.v3.Router`,
      suppress_envoy_headers: true,
      dynamic_stats: true,
    },
  }
  const connections = {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${HTTP_EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'bench',
      codec_type: 'HTTP1',
      generate_request_id: false,
      common_http_protocol_options: { idle_timeout: '300s' },
      http_filters: [router],
      route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route(site)] }] },
    },
  }
  const listener = {
    name: 'front',
    address: address(port),
    filter_chains: [{ filters: [connections], ...(site.tls === null ? {} : tls(site.tls)) }],
  }
  const clusters = site.mockBytes === null ? [cluster(site)] : []
  return `${JSON.stringify({ static_resources: { listeners: [listener], clusters } }, null, 2)}\n`
}

function route(site: Site) {
  const match = { prefix: '/' }
  if (site.mockBytes !== null) {
    return {
      match,
      direct_response: { status: 200, body: { inline_string: bodyOf(site.mockBytes) } },
      response_headers_to_add: Object.entries(MOCK_HEADERS).map(field),
    }
  }
  const added = fieldsSet(site).map(field)
  return {
    match,
    route: { cluster: 'back', timeout: '300s' },
    ...(added.length === 0 ? {} : { request_headers_to_add: added }),
  }
}

function cluster(site: Site) {
  return {
    name: 'back',
    type: 'STATIC',
    lb_policy: 'ROUND_ROBIN',
    connect_timeout: '5s',
    circuit_breakers: {
      thresholds: [{ max_connections: 16384, max_pending_requests: 16384, max_requests: 16384 }],
    },
    load_assignment: {
      cluster_name: 'back',
      endpoints: [
        { lb_endpoints: site.backEnds.map((port) => ({ endpoint: { address: address(port) } })) },
      ],
    },
  }
}

function tls({ cert, key }: { readonly cert: string; readonly key: string }) {
  return {
    transport_socket: {
      name: 'envoy.transport_sockets.tls',
      typed_config: {
        '@type': `${HTTP_EXTENSIONS}.transport_sockets.tls.v3.DownstreamTlsContext`,
        common_tls_context: {
          tls_certificates: [
            { certificate_chain: { filename: cert }, private_key: { filename: key } },
          ],
        },
      },
    },
  }
}

/** `path`: of the binary. Throws when there is none. */
export function envoy(path: string): Peer {
  const program = findProgram(path)
  if (program === null) throw new Error(`--envoy: ${path} is not a program`)
  const peer = { name: 'envoy', isOurs: false, version: versionOf(program, '--version') }
  return {
    ...peer,
    async start(place, site) {
      if (site.accessLog) throw new UnsupportedError('set up without an access log')
      const port = await freePort()
      const conf = join(place.household.newFolder('envoy'), 'envoy.json')
      writeFileSync(conf, envoyConf(site, port))
      const args = ['-c', conf, '--concurrency', String(site.workers)]
      args.push('--disable-hot-restart', '-l', 'error')
      return launched({ ...peer, place, site, port, program, args })
    },
  }
}

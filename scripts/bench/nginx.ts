import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bodyOf, PATH, type Scenario } from './scenarios.js'

/** nginx takes no longer parameter than its buffer of 4 KB. */
const PIECE_BYTES = 1024

export interface NginxOptions {
  readonly folder: string
  readonly name: string
  readonly port: number
  readonly workers: number
  readonly accessLog: boolean
  /** What the one server does with requests for {@link PATH}. */
  readonly server: string
}

/** Writes a configuration and gives the arguments to start nginx with it, in the foreground. */
export function configureNginx(options: NginxOptions): string[] {
  const { name, port, workers, accessLog, server } = options
  const folder = join(options.folder, name)
  mkdirSync(join(folder, 'temp'), { recursive: true })
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/temp;`)
    .join(' ')
  const conf = `daemon off;
worker_processes ${workers};
pid ${folder}/pid;
error_log ${folder}/error.log error;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  access_log ${accessLog ? `${folder}/access.log` : 'off'};
  ${temp}
  server_tokens off;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  default_type text/plain;
${server.replaceAll('LISTEN', `listen 127.0.0.1:${port} backlog=4096${workers > 1 ? ' reuseport' : ''};`)}
}
`
  const path = join(folder, 'nginx.conf')
  writeFileSync(path, conf)
  return ['-p', folder, '-e', join(folder, 'error.log'), '-c', path]
}

/** Answers by itself. */
export function answering(bytes: number): string {
  const rest = bytes % PIECE_BYTES
  const whole = '$piece'.repeat((bytes - rest) / PIECE_BYTES)
  return `  server {
    LISTEN
    location ${PATH} {
      set $piece "${bodyOf(PIECE_BYTES)}";
      return 200 "${whole}${bodyOf(rest)}";
    }
  }`
}

/** A reverse proxy that keeps enough connections to its back end for all clients at once. */
export function proxying(backEndPort: number, connections: number, scenario: Scenario): string {
  if (scenario.mocked) return answering(scenario.answerBytes)
  return `  upstream back { server 127.0.0.1:${backEndPort}; keepalive ${connections}; keepalive_requests 1000000000; keepalive_timeout 300s; }
  server {
    LISTEN
    location ${PATH} {
      proxy_pass http://back;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }`
}

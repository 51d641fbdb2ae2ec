import http from 'node:http'

export interface Ask {
  readonly port: number
  /** Default 127.0.0.1. */
  readonly address?: string
  readonly method?: string
  readonly path?: string
  readonly host?: string
  readonly headers?: http.OutgoingHttpHeaders
  readonly body?: string | Uint8Array
  /** None: a connection of its own, closed afterwards. */
  readonly agent?: http.Agent
  readonly timeoutMs?: number
}

export interface Answer {
  readonly status: number
  /** Names in lower case; repeated fields as Node joins them. */
  readonly headers: http.IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  readonly text: string
}

/** One request to this machine and its whole answer. */
export function ask(options: Ask): Promise<Answer> {
  const {
    port,
    address = '127.0.0.1',
    method = 'GET',
    path = '/',
    headers = {},
    body,
    agent,
    timeoutMs = 20_000,
  } = options
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: address,
      port,
      method,
      path,
      headers: { ...(options.host === undefined ? {} : { host: options.host }), ...headers },
      agent: agent ?? false,
      timeout: timeoutMs,
    })
    request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)))
    request.on('error', reject)
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('aborted', () => reject(new Error('the answer was cut off')))
      response.on('end', () => {
        const whole = Buffer.concat(chunks)
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          rawHeaders: response.rawHeaders,
          body: whole,
          text: whole.toString('utf8'),
        })
      })
    })
    request.end(body)
  })
}

/** An agent whose connections are kept, at most `connections` of them. */
export const keptAlive = (connections = 1): http.Agent =>
  new http.Agent({ keepAlive: true, maxSockets: connections })

import { type IncomingHttpHeaders, request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Question {
  readonly port: number
  readonly path: string
  readonly method?: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly tls?: boolean
}

const PATIENCE_MS = 30_000

/** One request on a connection of its own to 127.0.0.1; the certificate is not checked. */
export function ask(question: Question): Promise<Answer> {
  const { port, path, body, headers = {}, tls = false } = question
  const method = question.method ?? (body === undefined ? 'GET' : 'POST')
  const options = { host: '127.0.0.1', port, path, method, headers, agent: false as const }
  return new Promise((resolve, reject) => {
    const asking = tls
      ? tlsRequest({ ...options, rejectUnauthorized: false, servername: 'localhost' })
      : plainRequest(options)
    asking.on('response', (response) => {
      let text = ''
      response.setEncoding('latin1')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      )
    })
    asking.setTimeout(PATIENCE_MS, () => asking.destroy(new Error('no answer within 30 s')))
    asking.on('error', reject)
    asking.end(body)
  })
}

import type { IncomingMessage, ServerResponse } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type GatewayError, HTTP_STATUS } from '../lib/errors.js'
import { toYaml } from '../spec/yaml.js'
import type { Answer, Body, Format } from './call.js'
import { CHALLENGE } from './guard.js'

const JSON_TYPE = 'application/json'

/** For clients that go on sending a body that was refused. */
const LINGER_MS = 1_000

/** Longest time a list is rendered before sockets get a turn. */
const SLICE_MS = 4

/** Writes `answer`; resolves when all of it has been handed to the socket or the client is gone. */
export async function respond(
  response: ServerResponse,
  answer: Answer,
  configVersion: number,
  format: Format,
): Promise<void> {
  response.statusCode = answer.status
  response.setHeader('X-Config-Version', String(configVersion))
  response.setHeader('Cache-Control', 'no-store')
  for (const [name, value] of Object.entries(answer.headers ?? {})) {
    response.setHeader(name, value)
  }
  const { body } = answer
  if (body.type === 'list' || body.type === 'map') {
    response.setHeader('Content-Type', format.isJson ? JSON_TYPE : format.yamlType)
    await writeSlowly(response, format.isJson ? jsonPieces(body) : yamlPieces(body))
    return
  }
  if (body.type === 'stream') {
    response.setHeader('Content-Type', body.contentType)
    await writeStream(response, body.chunks)
    return
  }
  const [type, text] = render(body, format)
  // Bytes, because node glues a first chunk of text to the headers and writes both as UTF-8.
  const bytes = Buffer.from(text)
  if (type !== null) response.setHeader('Content-Type', type)
  response.setHeader('Content-Length', bytes.length)
  response.write(bytes)
  const isSending = !response.req.complete && response.req.headers.expect === undefined
  if (isSending) await discardRest(response.req)
  response.end()
}

/**
 * Gives a client that still sends its body the time to see the answer: closing with unread bytes
 * would reset the connection, and with it the answer on its way.
 */
function discardRest(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      clearTimeout(timer)
      request.off('end', settle)
      request.off('close', settle)
      resolve()
    }
    const timer = setTimeout(settle, LINGER_MS)
    request.on('end', settle)
    request.on('close', settle)
    request.resume()
  })
}

function render(body: Short, format: Format): [string | null, string] {
  if (body.type === 'none') return [null, '']
  if (body.type === 'text') return [body.contentType, body.text]
  return format.isJson
    ? [JSON_TYPE, `${JSON.stringify(body.value)}\n`]
    : [format.yamlType, toYaml(body.value)]
}

type Long = Extract<Body, { type: 'list' | 'map' }>
type Short = Extract<Body, { type: 'none' | 'value' | 'text' }>

/** Block collections can be cut between their items. */
function* yamlPieces(body: Long): Generator<string> {
  let isEmpty = true
  for (const item of body.type === 'list' ? body.items : body.entries) {
    isEmpty = false
    yield toYaml(body.type === 'list' ? [item] : Object.fromEntries([item as [string, unknown]]))
  }
  if (isEmpty) yield body.type === 'list' ? '[]\n' : '{}\n'
}

function* jsonPieces(body: Long): Generator<string> {
  const [open, close] = body.type === 'list' ? ['[', ']'] : ['{', '}']
  let before = open
  for (const item of body.type === 'list' ? body.items : body.entries) {
    const [key, value] = body.type === 'list' ? [null, item] : (item as [string, unknown])
    yield `${before}${key === null ? '' : `${JSON.stringify(key)}:`}${JSON.stringify(value)}`
    before = ','
  }
  yield before === open ? `${open}${close}\n` : `${close}\n`
}

/** Renders and writes in slices, so that no answer holds up the loop, however long it is. */
async function writeSlowly(response: ServerResponse, pieces: Iterable<string>): Promise<void> {
  let chunk = ''
  let sliceEndMs = performance.now() + SLICE_MS
  for (const piece of pieces) {
    chunk += piece
    if (performance.now() < sliceEndMs) continue
    const hasRoom = response.write(Buffer.from(chunk))
    chunk = ''
    await nextTurn()
    if (!hasRoom && !(await drained(response))) return
    sliceEndMs = performance.now() + SLICE_MS
  }
  response.end(Buffer.from(chunk))
}

/** Ends with the stream, or when the client has gone. */
async function writeStream(response: ServerResponse, chunks: AsyncIterable<string>): Promise<void> {
  // Silence is no sign of trouble here: there may be nothing to tell for hours.
  response.req.socket.setTimeout(0)
  response.flushHeaders()
  for await (const chunk of chunks) {
    if (response.destroyed) return
    if (!response.write(Buffer.from(chunk)) && !(await drained(response))) return
  }
  response.end()
}

/** False when the client went away instead. */
function drained(response: ServerResponse): Promise<boolean> {
  if (response.destroyed || !response.writableNeedDrain) return Promise.resolve(!response.destroyed)
  return new Promise((resolve) => {
    const settle = (): void => {
      response.off('drain', settle)
      response.off('close', settle)
      resolve(!response.destroyed)
    }
    response.on('drain', settle)
    response.on('close', settle)
  })
}

/** The answer for a failure: `code` is the status, as in v1; the header has the name of the code. */
export function failureAnswer(error: GatewayError): Answer {
  const status = HTTP_STATUS[error.code]
  const headers: Record<string, string> = { 'X-Easegress-Error': error.code }
  if (error.code === 'UNAUTHENTICATED') headers['WWW-Authenticate'] = CHALLENGE
  if (status === 503) headers['Retry-After'] = '1'
  const allow = error.detail['allow']
  if (error.code === 'METHOD_NOT_ALLOWED' && typeof allow === 'string') headers['Allow'] = allow
  return {
    status,
    headers,
    body: { type: 'value', value: { code: status, message: error.message } },
    version: null,
  }
}

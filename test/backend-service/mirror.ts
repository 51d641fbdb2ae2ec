/**
 * A back end that answers with what it was asked: the mirror service of the README. Ports to listen
 * on are arguments; without any 9095, 9096 and 9097. `MIRROR_DELAY_MS` (default 10) is the time
 * each answer takes.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

const ports = process.argv.slice(2).map(Number)
const delayMs = Number(process.env['MIRROR_DELAY_MS'] ?? 10)

/** Headers in the notation of a Go map: canonical names in order, lists of values in brackets. */
function goMap(request: IncomingMessage): string {
  const fields = new Map<string, string[]>()
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = canonical(request.rawHeaders[i] as string)
    // Go's server takes these two out of the map.
    if (name === 'Host' || name === 'Content-Length') continue
    const values = fields.get(name) ?? []
    values.push(request.rawHeaders[i + 1] as string)
    fields.set(name, values)
  }
  const entries = [...fields].sort(([a], [b]) => (a < b ? -1 : 1))
  return `map[${entries.map(([name, values]) => `${name}:[${values.join(' ')}]`).join(' ')}]`
}

function canonical(name: string): string {
  return name
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase())
    .join('-')
}

function mirror(request: IncomingMessage, response: ServerResponse, port: number): void {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const text =
      'Your Request\n===============\n' +
      `Method: ${request.method}\nURL   : ${request.url}\nHeader: ${goMap(request)}\n` +
      `Body  : ${Buffer.concat(chunks).toString('utf8')}`
    // Tells the three apart without changing what they print.
    response.setHeader('X-Mirror-Port', port)
    response.setHeader('Content-Type', 'text/plain; charset=utf-8')
    setTimeout(() => response.end(text), delayMs)
  })
}

for (const port of ports.length > 0 ? ports : [9095, 9096, 9097]) {
  const server = createServer((request, response) => mirror(request, response, port))
  server.on('error', (error) => {
    process.stderr.write(`mirror: ${error.message}\n`)
    process.exitCode = 1
  })
  server.listen(port, '127.0.0.1', () => process.stdout.write(`mirror listens on ${port}\n`))
}

import type { Document } from './gateway.js'

/** A server that leads every path to one pipeline, unless `more` has rules of its own. */
export function httpServer(
  name: string,
  port: number,
  pipeline: string,
  more: Readonly<Record<string, unknown>> = {},
): Document {
  const rules = [{ paths: [{ pathPrefix: '/', backend: pipeline }] }]
  return { kind: 'HTTPServer', name, port, rules, ...more }
}

export function pipeline(name: string, ...filters: Readonly<Record<string, unknown>>[]): Document {
  return { kind: 'HTTPPipeline', name, filters }
}

export function proxy(...urls: string[]): Readonly<Record<string, unknown>> {
  return {
    name: 'proxy',
    kind: 'Proxy',
    mainPool: {
      servers: urls.map((url) => ({ url })),
      loadBalance: { policy: 'roundRobin' },
    },
  }
}

/** A filter that answers by itself. */
export function mock(code: number, body: string): Readonly<Record<string, unknown>> {
  return { name: 'mock', kind: 'Mock', rules: [{ pathPrefix: '/', code, body }] }
}

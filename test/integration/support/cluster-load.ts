/** Clients of a cluster that do not rest while it is being broken. */
import type http from 'node:http'
import { apply, type Node } from './cluster.js'
import type { History } from './cluster-history.js'
import { mock, pipeline } from './documents.js'
import { ask, keptAlive } from './http.js'
import { sleep } from './wait.js'

/** Traffic through one node, without a pause; nothing of it may fail while the node lives. */
export class Traffic {
  readonly failures: string[] = []
  answers = 0
  /** The node is being broken: what fails now is no surprise. */
  isExcused = false
  readonly #node: Node
  readonly #port: number
  readonly #agent: http.Agent = keptAlive()
  readonly #done: Promise<void>
  #isOver = false

  constructor(node: Node, port: number) {
    this.#node = node
    this.#port = port
    this.#done = this.#run()
  }

  async #run(): Promise<void> {
    const { address } = this.#node
    while (!this.#isOver) {
      const wasExcused = this.isExcused
      try {
        const { status } = await ask({
          address,
          port: this.#port,
          agent: this.#agent,
          timeoutMs: 4_000,
        })
        if (status === 200) this.answers += 1
        else this.#fail(`status ${status}`, wasExcused)
      } catch (thrown) {
        this.#fail(String(thrown), wasExcused)
      }
      await sleep(5)
    }
    this.#agent.destroy()
  }

  #fail(what: string, wasExcused: boolean): void {
    if (!wasExcused && !this.isExcused) this.failures.push(`${this.#node.name}: ${what}`)
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#done
  }
}

/** A client that writes an object of its own through one node, and reads those of others. */
export class Writer {
  readonly node: Node
  readonly #name: string
  readonly #others: readonly string[]
  readonly #history: History
  readonly #done: Promise<void>
  #isOver = false
  #count = 0
  acknowledged = 0
  #doing = 'nothing yet'
  #doingMs = performance.now()

  constructor(node: Node, name: string, others: readonly string[], history: History) {
    this.node = node
    this.#name = name
    this.#others = others
    this.#history = history
    this.#done = this.#run()
  }

  /** For the message of a test that waits for it. */
  get state(): string {
    const sinceMs = Math.round(performance.now() - this.#doingMs)
    return `${this.#name} ${this.#doing} (for ${sinceMs} ms)`
  }

  #does(what: string): void {
    this.#doing = what
    this.#doingMs = performance.now()
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      await this.#write()
      await this.#read()
      await sleep(5)
    }
  }

  /** The same write again and again under its request id, until there is an answer. */
  async #write(): Promise<void> {
    const value = `${this.#name}-${++this.#count}`
    const acknowledged = this.#history.write(this.#name, value)
    const document = pipeline(this.#name, mock(200, value))
    for (let tries = 0; tries < 8; tries++) {
      this.#does(`writes ${value}, try ${tries + 1}`)
      try {
        const { status, headers, text } = await apply(this.node, document, { requestId: value })
        if (status === 200 || status === 201) {
          acknowledged(Number(headers['x-config-version']))
          this.acknowledged += 1
          return
        }
        if (status !== 503) throw new Error(`status ${status}`)
        this.#does(`refused ${value}: ${text.trim()}`)
      } catch (thrown) {
        this.#does(`failed: ${String(thrown)}`)
        if (/^Error: status/.test(String(thrown))) throw thrown
      }
      if (this.#isOver) return
      await sleep(100)
    }
  }

  async #read(): Promise<void> {
    const name = this.#others[this.#count % this.#others.length] as string
    const sentMs = performance.now()
    this.#does(`reads ${name}`)
    try {
      const path = `/objects/${name}`
      const { status, headers, text } = await this.node.gateway.admin('GET', path)
      // An answer that says it may be old promises nothing.
      if (headers['x-easegress-stale'] !== undefined) return
      const version = Number(headers['x-config-version'])
      if (status === 200) {
        this.#history.read(name, /"body":"([^"]*)"/.exec(text)?.[1] ?? '', version, sentMs)
      } else if (status === 404) this.#history.read(name, null, version, sentMs)
    } catch {
      // the node is being broken
    }
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#done
  }
}

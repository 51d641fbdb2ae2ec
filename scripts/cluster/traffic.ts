import { Agent } from 'node:http'
import { ask, type Node, sleep } from './nodes.js'

/** Traffic through one node over one connection, without a pause. */
export class Traffic {
  answers = 0
  readonly failures: string[] = []
  /** Answers that were less than one before, as numbers, over the same connection. */
  readonly older: string[] = []
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  readonly #done: Promise<void>
  #isOver = false

  constructor(node: Node, port: number) {
    this.#done = this.#run(node, port)
  }

  async #run(node: Node, port: number): Promise<void> {
    let seen = Number.NEGATIVE_INFINITY
    while (!this.#isOver) {
      try {
        const asked = { host: node.address, port, path: '/', agent: this.#agent }
        const { status, text } = await ask({ ...asked, timeoutMs: 5_000 })
        if (status === 200) this.answers += 1
        else this.failures.push(`${node.name}: status ${status}`)
        const value = Number(text)
        if (status === 200 && value < seen) this.older.push(`${node.name}: ${value} after ${seen}`)
        if (value > seen) seen = value
      } catch (thrown) {
        this.failures.push(`${node.name}: ${String(thrown)}`)
      }
      await sleep(5)
    }
    this.#agent.destroy()
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#done
  }
}

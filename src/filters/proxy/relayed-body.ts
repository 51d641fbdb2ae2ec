import type { BodySink, BodySource } from '../../http/body.js'

/** A body on its way past somebody who looks at it; the pace is that of the one who takes it. */
export abstract class RelayedBody implements BodySource, BodySink {
  readonly length: number
  protected readonly source: BodySource
  protected sink: BodySink | null = null

  constructor(source: BodySource) {
    this.length = source.length
    this.source = source
  }

  open(sink: BodySink): void {
    this.sink = sink
    this.source.open(this)
  }

  pause(): void {
    this.source.pause()
  }

  resume(): void {
    this.source.resume()
  }

  cancel(): void {
    this.sink = null
    this.source.cancel()
  }

  data(chunk: Uint8Array): void {
    this.sink?.data(chunk)
  }

  flush(): void {
    this.sink?.flush?.()
  }

  end(): void {
    const { sink } = this
    this.sink = null
    sink?.end()
  }

  fail(reason: string): void {
    const { sink } = this
    this.sink = null
    sink?.fail(reason)
  }
}

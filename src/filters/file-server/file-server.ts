import { type Stats, statSync } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { type Cancellable, type Exchange, OK, SUSPENDED } from '../../http/exchange.js'
import { type Clock, systemTime } from '../../lib/clock.js'
import type { Logger } from '../../telemetry/log.js'
import { GzippedBody } from '../body-coding.js'
import type { Filter, FilterContext, Forecast } from '../contract.js'
import { WholeBody } from '../whole-body.js'
import { accepts, judgeConditions, type Range, rangeIn, type Version } from './conditions.js'
import { ContentCache } from './content-cache.js'
import { FileBody } from './file-body.js'
import { Glob } from './glob-spec.js'
import type { Spec } from './kind.js'
import { isText, mediaType } from './media-types.js'
import { type Failure, NOT_FOUND, Places, type Search } from './places.js'

const INTERNAL_ERROR = 1
const CLIENT_ERROR = 3
const NOT_FOUND_RESULT = 4

/** Endings of compressed files that are called otherwise than their coding. */
const CODINGS: Readonly<Record<string, string>> = { gz: 'gzip', zst: 'zstd' }
const MAX_AGE_DEFAULT = 3_600

/** A file that answers a request. */
interface Found {
  /** Of what was asked for: names its type. */
  readonly file: string
  /** What is read: it may be the compressed one beside it. */
  readonly source: string
  /** '' for none. */
  readonly coding: string
  readonly stats: Stats
}

/** A file ready to be sent: its bytes, or it open. */
interface Ready {
  readonly found: Found
  readonly version: Version
  readonly bytes: Buffer | null
  readonly handle: FileHandle | null
}

/** A form in which files may lie beside themselves. */
interface Precompressed {
  readonly ending: string
  readonly coding: string
}

/** How an answer begins. */
interface Head {
  readonly code: number
  readonly range: Range | null
  readonly isGzipped: boolean
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD'])
const BAD_REQUEST: Failure = { status: 400, text: 'Bad Request' }
const HIDDEN: Failure = { status: 403, text: 'Forbidden' }

class FileServer implements Filter {
  readonly #places: Places
  readonly #precompressed: readonly Precompressed[]
  readonly #compresses: boolean
  readonly #cache: ContentCache
  readonly #ages: readonly { readonly globs: readonly Glob[]; readonly value: string }[]
  readonly #paths: readonly { readonly globs: readonly Glob[]; readonly value: string }[]
  readonly #clock: Clock
  readonly #log: Logger

  constructor(spec: Spec, context: FilterContext, clock: Clock) {
    this.#places = new Places(spec)
    this.#precompressed = spec.precompressed
      .split(/ +/)
      .filter((ending) => ending !== '')
      // As documented; Easegress itself looks for `page.html.gzip` alone.
      .flatMap((ending) => (ending === 'gzip' ? ['gz', ending] : [ending]))
      .map((ending) => ({ ending, coding: CODINGS[ending] ?? ending.toLowerCase() }))
    this.#compresses = spec.compress === 'gzip'
    const { bufferPoolSize, bufferPoolMaxFileSize, bufferPoolTTL } = spec.cache
    this.#cache = new ContentCache(bufferPoolSize, bufferPoolMaxFileSize, bufferPoolTTL * 1_000)
    const rules = (isPath: boolean) =>
      spec.cache.cacheFileExtensionFilters.map(({ extension, etagMaxAge }) => ({
        globs: extension
          .filter((pattern) => pattern.includes('/') === isPath)
          .map((pattern) => new Glob(pattern)),
        value: `public, max-age=${etagMaxAge > 0 ? etagMaxAge : MAX_AGE_DEFAULT}`,
      }))
    this.#ages = rules(false)
    this.#paths = rules(true)
    this.#clock = clock
    this.#log = context.log
  }

  handle(ex: Exchange): number {
    if (!METHODS.has(ex.request.method)) return refuseMethod(ex)
    const search = this.#places.search(ex.request.path)
    if (search === null) return fail(ex, BAD_REQUEST, CLIENT_ERROR)
    const waiting = new Waiting(ex)
    this.#find(ex, search).then(
      (ready) => waiting.goOn(ready, (later) => this.#answer(later, ready)),
      (error: NodeJS.ErrnoException) => waiting.goOn(null, (later) => this.#failed(later, error)),
    )
    return SUSPENDED
  }

  /** By the same tests, with what is there now; what is cached is not looked at. */
  explain(ex: Exchange): Forecast {
    const { request } = ex
    if (!METHODS.has(request.method)) return { code: refuseMethod(ex), detail: {} }
    const search = this.#places.search(request.path)
    if (search === null) return { code: fail(ex, BAD_REQUEST, CLIENT_ERROR), detail: {} }
    try {
      const steps = this.#search(search.places, this.#codingsFor(ex))
      let step = steps.next()
      while (step.done !== true) step = steps.next(statsNow(step.value))
      const found = step.value
      if (found === null) return { code: fail(ex, search.failure, CLIENT_ERROR), detail: {} }
      if (this.#places.isHidden(found.file)) {
        return { code: fail(ex, HIDDEN, CLIENT_ERROR), detail: { file: found.file } }
      }
      const { source, stats } = found
      const detail = { file: source, bytes: stats.size }
      return { code: this.#head(ex, found, versionOf(stats), stats.size).code, detail }
    } catch (thrown) {
      return { code: this.#failed(ex, thrown as NodeJS.ErrnoException), detail: {} }
    }
  }

  #codingsFor({ request }: Exchange): readonly Precompressed[] {
    return this.#precompressed.filter(({ coding }) => accepts(request.headers, coding))
  }

  /** What the request is answered with: a file, or why there is none. */
  async #find(ex: Exchange, { places, failure }: Search): Promise<Ready | Failure> {
    const steps = this.#search(places, this.#codingsFor(ex))
    let step = steps.next()
    while (step.done !== true) step = steps.next(await statsOf(step.value))
    const found = step.value
    if (found === null) return failure
    return this.#places.isHidden(found.file) ? HIDDEN : this.#ready(found)
  }

  /** The paths to look at, in order; it wants to be told what is there, null for no plain file. */
  *#search(
    places: readonly string[],
    codings: readonly Precompressed[],
  ): Generator<string, Found | null, Stats | null> {
    for (const place of places) {
      const files = place.endsWith('/') ? this.#places.indexesOf(place) : [place]
      for (const file of files) {
        const stats = yield file
        // One may be kept in its compressed form alone: that is not the file that was asked for.
        if (stats === null) continue
        for (const { ending, coding } of codings) {
          const source = `${file}.${ending}`
          const other = yield source
          if (other !== null) return { file, source, coding, stats: other }
        }
        return { file, source: file, coding: '', stats }
      }
    }
    return null
  }

  async #ready(found: Found): Promise<Ready> {
    const version = versionOf(found.stats)
    const nowMs = this.#clock.wallMs()
    const kept = this.#cache.get(found.source, version.etag, nowMs)
    if (kept !== null) return { found, version, bytes: kept, handle: null }
    const handle = await open(found.source, 'r')
    // It is what was opened that is sent, whatever has taken its place meanwhile.
    try {
      const stats = await handle.stat()
      const opened = { ...found, stats }
      const current = versionOf(stats)
      if (stats.size > this.#cache.fileBytesMax) {
        return { found: opened, version: current, bytes: null, handle }
      }
      const bytes = await handle.readFile()
      this.#cache.set(found.source, { etag: current.etag, bytes, readMs: nowMs })
      await handle.close()
      return { found: opened, version: current, bytes, handle: null }
    } catch (thrown) {
      await handle.close().catch(() => {})
      throw thrown
    }
  }

  #failed(ex: Exchange, error: NodeJS.ErrnoException): number {
    if (
      ['ENOENT', 'EACCES', 'EPERM', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP'].includes(error.code ?? '')
    ) {
      return fail(ex, NOT_FOUND, NOT_FOUND_RESULT)
    }
    this.#log.warn('file cannot be read', { error: error.message })
    return fail(ex, { status: 500, text: 'Internal Server Error' }, INTERNAL_ERROR)
  }

  #answer(ex: Exchange, ready: Ready | Failure): number {
    if ('status' in ready) return fail(ex, ready, CLIENT_ERROR)
    const { found, version, bytes, handle } = ready
    const size = bytes?.byteLength ?? found.stats.size
    const { code, range, isGzipped } = this.#head(ex, found, version, size)
    if (range === null) release(handle)
    else send(ex, ready, range, isGzipped)
    return code
  }

  /** Status and fields of the answer, and what of the file is its body; null for nothing. */
  #head(ex: Exchange, found: Found, whole: Version, size: number): Head {
    const { request, response } = ex
    const type = mediaType(found.file)
    // Ranges are for GET alone (RFC 9110 §14.2).
    const isPart = request.method === 'GET' && request.headers.has('range')
    const isGzipped =
      this.#compresses &&
      found.coding === '' &&
      isText(type) &&
      !isPart &&
      accepts(request.headers, 'gzip')
    // Another form of the file has another name.
    const version = isGzipped ? { ...whole, etag: `"${whole.etag.slice(1, -1)}-gzip"` } : whole

    response.discard()
    const { headers } = response
    headers.set('etag', version.etag)
    headers.set('last-modified', new Date(version.modifiedMs).toUTCString())
    const age = this.#ageOf(found.file)
    if (age !== '') headers.set('cache-control', age)
    if (this.#compresses || this.#precompressed.length > 0) headers.set('vary', 'Accept-Encoding')

    const verdict = judgeConditions(request.headers, version)
    if (verdict !== 200) {
      response.status = verdict
      return { code: verdict === 304 ? OK : CLIENT_ERROR, range: null, isGzipped }
    }
    headers.set('content-type', type)
    if (isGzipped) headers.set('content-encoding', 'gzip')
    else if (found.coding !== '') headers.set('content-encoding', found.coding)
    if (!isGzipped) headers.set('accept-ranges', 'bytes')
    const range = isPart ? rangeIn(request.headers, size, version) : null
    if (range === 'none') {
      headers.set('content-range', `bytes */${size}`)
      headers.delete('content-type')
      headers.delete('content-encoding')
      response.status = 416
      return { code: CLIENT_ERROR, range: null, isGzipped }
    }
    if (range !== null) {
      response.status = 206
      headers.set('content-range', `bytes ${range.start}-${range.end}/${size}`)
    }
    return { code: OK, range: range ?? { start: 0, end: size - 1 }, isGzipped }
  }

  #ageOf(file: string): string {
    const name = file.slice(file.lastIndexOf('/') + 1)
    for (const [index, { globs, value }] of this.#ages.entries()) {
      if (globs.some((glob) => glob.test(name))) return value
      if (this.#paths[index]?.globs.some((glob) => glob.test(file)) === true) return value
    }
    return ''
  }
}

function send(ex: Exchange, { bytes, handle }: Ready, range: Range, isGzipped: boolean): void {
  const { request, response } = ex
  const length = range.end - range.start + 1
  if (request.method === 'HEAD') {
    release(handle)
    if (!isGzipped) response.headers.set('content-length', String(length))
    return
  }
  if (handle !== null) {
    const body = new FileBody(handle, range.start, length, ex)
    response.source = isGzipped ? new GzippedBody(body, ex) : body
    return
  }
  const part = (bytes as Buffer).subarray(range.start, range.end + 1)
  if (isGzipped) response.source = new GzippedBody(new WholeBody(part), ex)
  else response.body = part
}

function release(handle: FileHandle | null): void {
  handle?.close().catch(() => {})
}

/** A new answer with a line of text. */
function fail(ex: Exchange, { status, text }: Failure, code: number): number {
  ex.response.discard()
  ex.response.status = status
  ex.response.headers.set('content-type', 'text/plain; charset=utf-8')
  if (text !== '') ex.response.body = Buffer.from(text)
  return code
}

function refuseMethod(ex: Exchange): number {
  const code = fail(ex, { status: 405, text: 'Method Not Allowed' }, CLIENT_ERROR)
  ex.response.headers.set('allow', 'GET, HEAD')
  return code
}

/** Of a plain file; null when there is none. */
async function statsOf(file: string): Promise<Stats | null> {
  try {
    return plain(await stat(file))
  } catch (thrown) {
    return nothing(thrown)
  }
}

/** The same at once, for people who ask; requests never wait for the file system like this. */
function statsNow(file: string): Stats | null {
  try {
    return plain(statSync(file))
  } catch (thrown) {
    return nothing(thrown)
  }
}

const plain = (stats: Stats): Stats | null => (stats.isFile() ? stats : null)

function nothing(thrown: unknown): null {
  const { code = '' } = thrown as NodeJS.ErrnoException
  if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP'].includes(code)) return null
  throw thrown
}

function versionOf({ mtimeMs, size }: Stats): Version {
  const etag = `"${Math.floor(mtimeMs * 1_000).toString(16)}-${size.toString(16)}"`
  return { etag, modifiedMs: Math.floor(mtimeMs / 1_000) * 1_000 }
}

/** An exchange that waits for the file system. */
class Waiting implements Cancellable {
  readonly #ex: Exchange
  readonly #ticket: number

  constructor(ex: Exchange) {
    this.#ex = ex
    this.#ticket = ex.suspend(this)
  }

  goOn(ready: Ready | Failure | null, judge: (ex: Exchange) => number): void {
    if (this.#ex.isLive(this.#ticket)) {
      this.#ex.enter((ex, then) => ex.resume(this.#ticket, then(ex)), judge)
    } else if (ready !== null && 'handle' in ready) release(ready.handle)
  }

  cancel(): void {
    // What is opened for it is closed when it comes.
  }
}

export const create = (spec: Spec, context: FilterContext): Filter =>
  new FileServer(spec, context, systemTime)

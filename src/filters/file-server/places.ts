import path from 'node:path'
import { compileRegexp, type LinearRegexp } from '../../lib/regexp.js'
import { Glob } from './glob-spec.js'
import type { Spec } from './kind.js'

/** Where to look for a request, in order, and what to say when nothing is there. */
export interface Search {
  /** Absolute; with a slash at the end for a folder. */
  readonly places: readonly string[]
  readonly failure: Failure
}

export interface Failure {
  readonly status: number
  readonly text: string
}

export const NOT_FOUND: Failure = { status: 404, text: 'Not Found' }

/** Turns paths of requests into paths of files, never out of the root. */
export class Places {
  readonly root: string
  readonly #index: readonly string[]
  readonly #tries: readonly string[]
  readonly #failure: Failure
  readonly #rewrite: { readonly pattern: LinearRegexp; readonly by: string } | null
  readonly #hiddenParts: readonly Glob[]
  readonly #hiddenPaths: readonly { readonly prefix: string; readonly glob: Glob }[]

  constructor(spec: Spec) {
    this.root = path.resolve(spec.root === '' ? '.' : spec.root)
    this.#index = spec.index.length === 0 ? ['index.html', 'index.txt'] : spec.index
    const last = spec.tryFiles.at(-1) ?? ''
    const found = /^=([0-9]{3})(?: (.*))?$/.exec(last)
    this.#tries = spec.tryFiles.filter((entry) => !entry.startsWith('='))
    this.#failure = found === null ? NOT_FOUND : { status: Number(found[1]), text: found[2] ?? '' }
    const blank = spec.rewrite.indexOf(' ')
    this.#rewrite =
      blank < 1
        ? null
        : {
            pattern: compileRegexp(spec.rewrite.slice(0, blank)),
            by: spec.rewrite.slice(blank + 1).trim(),
          }
    this.#hiddenParts = spec.hidden
      .filter((pattern) => !pattern.includes('/'))
      .map((pattern) => new Glob(pattern))
    this.#hiddenPaths = spec.hidden
      .filter((pattern) => pattern.includes('/'))
      .map((pattern) => {
        const full = path.resolve(pattern)
        return { prefix: `${full}/`, glob: new Glob(full) }
      })
  }

  /** Null for a path that no file can have. */
  search(requestPath: string): Search | null {
    if (requestPath.includes('\0')) return null
    const cleaned = clean(requestPath)
    const rewritten =
      this.#rewrite === null
        ? cleaned
        : clean(this.#rewrite.pattern.replaceAll(cleaned, this.#rewrite.by))
    const wanted =
      this.#tries.length === 0
        ? [rewritten]
        : this.#tries.map((entry) => clean(entry.replaceAll('{path}', requestPath)))
    return { places: wanted.map((each) => this.#below(each)), failure: this.#failure }
  }

  /** Files that stand for a folder. */
  indexesOf(folder: string): readonly string[] {
    return this.#index.map((name) => path.join(folder, path.basename(name)))
  }

  isHidden(file: string): boolean {
    const parts = file.slice(this.root.length).split('/')
    if (this.#hiddenParts.some((glob) => parts.some((part) => part !== '' && glob.test(part)))) {
      return true
    }
    return this.#hiddenPaths.some(({ prefix, glob }) => file.startsWith(prefix) || glob.test(file))
  }

  /** `cleaned` begins with a slash and has no `..` in it. */
  #below(cleaned: string): string {
    return (this.root === '/' ? '' : this.root) + cleaned
  }
}

/** Without `.`, `..` and doubled slashes; a slash at the end stays. */
function clean(text: string): string {
  const kept: string[] = []
  for (const part of text.split('/')) {
    if (part === '..') kept.pop()
    else if (part !== '' && part !== '.') kept.push(part)
  }
  const isFolder = /(?:^|\/)\.{0,2}$/.test(text)
  const joined = `/${kept.join('/')}`
  return isFolder && joined !== '/' ? `${joined}/` : joined
}

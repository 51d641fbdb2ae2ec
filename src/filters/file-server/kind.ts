import { checkRegexp } from '../../lib/regexp.js'
import {
  byteSize,
  checked,
  integer,
  list,
  object,
  oneOf,
  type SpecOf,
  type SpecProblem,
  string,
} from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { checkGlob } from './glob-spec.js'

const ERROR_ENTRY = /^=([45][0-9]{2})(?: (.*))?$/

const cache = object(
  {
    bufferPoolSize: byteSize({
      doc: 'Memory for the content of small files, in each worker. Easegress: 2 GiB.',
      default: '64MiB',
    }),
    bufferPoolMaxFileSize: byteSize({
      doc: 'Larger files are not kept, but read anew for every request.',
      max: 67_108_864,
      default: '10MiB',
    }),
    bufferPoolTTL: integer({
      doc: 'Seconds for which content is kept; one that changes is seen at once all the same.',
      min: 0,
      default: 600,
    }),
    cacheFileExtensionFilters: list(
      object({
        extension: list(string({ doc: '', min: 1 }), {
          doc: 'Patterns for names of files, such as `*.css`; with a slash, for whole paths.',
        }),
        etagMaxAge: integer({
          doc: 'Seconds for which clients may keep them; 3600 for 0 and less.',
          default: 3_600,
        }),
      }),
      { doc: 'Files that clients may keep; the first that matches counts.', default: [] },
    ),
  },
  { doc: 'What is kept, here and by clients.', default: {} },
)

const fields = object({
  root: string({ doc: 'Folder of the files; the working directory without.', default: '' }),
  index: list(string({ doc: '', min: 1 }), {
    doc: 'Files that stand for their folder; index.html and index.txt without entries.',
    default: [],
  }),
  hidden: list(string({ doc: '', min: 1 }), {
    doc: 'Files and folders that are refused: patterns for one part of a path, or, with a slash, absolute paths.',
    default: [],
  }),
  tryFiles: list(string({ doc: '', min: 1 }), {
    doc: 'Paths to try in order, `{path}` being that of the request; last of all `=CODE TEXT`.',
    default: [],
  }),
  rewrite: string({
    doc: 'A pattern, a blank and what replaces every match of it in the path.',
    default: '',
  }),
  precompressed: string({
    doc: 'Endings of compressed files that may stand beside others, separated by blanks: `br gz`.',
    pattern: /^[A-Za-z0-9]*(?: +[A-Za-z0-9]+)*$/,
    expected: 'endings separated by blanks, such as "br gz"',
    default: '',
  }),
  compress: oneOf(['', 'gzip'], { doc: 'Coding to compress text with.', default: '' }),
  cache,
})

const spec = checked(fields, ({ cache, hidden, rewrite, tryFiles }): SpecProblem[] => [
  ...globProblems(['hidden'], hidden),
  ...cache.cacheFileExtensionFilters.flatMap(({ extension }, index) =>
    globProblems(['cache', 'cacheFileExtensionFilters', index, 'extension'], extension),
  ),
  ...rewriteProblems(rewrite),
  ...tryFiles.flatMap((entry, index): SpecProblem[] => {
    if (!entry.startsWith('=')) return []
    if (index < tryFiles.length - 1) {
      return [{ path: ['tryFiles', index], message: 'ends the search: expected it last' }]
    }
    return ERROR_ENTRY.test(entry)
      ? []
      : [
          {
            path: ['tryFiles', index],
            message: `expected "=CODE TEXT", got ${JSON.stringify(entry)}`,
          },
        ]
  }),
])
export type Spec = SpecOf<typeof spec>

function globProblems(path: (string | number)[], patterns: readonly string[]): SpecProblem[] {
  return patterns.flatMap((pattern, index): SpecProblem[] => {
    const message = checkGlob(pattern)
    return message === null ? [] : [{ path: [...path, index], message }]
  })
}

function rewriteProblems(rewrite: string): SpecProblem[] {
  if (rewrite === '') return []
  const blank = rewrite.indexOf(' ')
  if (blank < 1) {
    return [{ path: ['rewrite'], message: 'expected a pattern, a blank and a replacement' }]
  }
  const problem = checkRegexp(rewrite.slice(0, blank))
  return problem === null ? [] : [{ path: ['rewrite'], message: problem }]
}

export const fileServer = defineFilterKind<Spec>({
  kind: 'FileServer',
  summary: 'Answers with files of a folder.',
  results: ['internalError', 'serverError', 'clientError', 'notFound'],
  spec,
  load: () => import('./file-server.js'),
})

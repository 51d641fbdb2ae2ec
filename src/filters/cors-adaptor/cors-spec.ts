import {
  boolean,
  checked,
  httpMethod,
  integer,
  list,
  object,
  type SpecOf,
  type SpecProblem,
  string,
} from '../../spec/schema.js'

const headerNames = (doc: string) =>
  list(
    string({
      doc: '',
      pattern: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/,
      expected: 'the name of a header, or "*"',
    }),
    { doc, default: [] },
  )

const fields = {
  allowedOrigins: list(
    string({
      doc: '',
      pattern: /^[^*]*\*?[^*]*$/,
      expected: 'an origin such as "https://example.com", with at most one "*"',
    }),
    {
      doc: 'Origins whose pages may ask: `*` stands for any text; a lone `*`, or no entry, for all origins.',
      default: [],
    },
  ),
  allowedMethods: list(httpMethod({ doc: '' }), {
    doc: 'Methods that may be used; GET, POST and HEAD without entries.',
    unique: true,
    default: [],
  }),
  allowedHeaders: headerNames(
    'Request headers that may be sent, `*` for all; Origin, Accept, Content-Type and X-Requested-With without entries.',
  ),
  allowCredentials: boolean({
    doc: 'Whether cookies and the like may be sent; has no effect while all origins are allowed.',
    default: false,
  }),
  exposedHeaders: headerNames('Response headers that pages may read.'),
}

const credentialProblems = (cors: Credentials): SpecProblem[] =>
  cors.allowCredentials && allowsAll(cors)
    ? [
        {
          path: ['allowCredentials'],
          message: 'has no effect while all origins are allowed: browsers refuse the two together',
          hint: 'list the origins in allowedOrigins',
          severity: 'warning',
        },
      ]
    : []

interface Credentials {
  readonly allowedOrigins: readonly string[]
  readonly allowCredentials: boolean
}

export const spec = checked(object(fields), credentialProblems)

export const specV2 = checked(
  object({
    ...fields,
    maxAge: integer({
      doc: 'Seconds for which browsers may remember what a preflight said; a negative number for not at all, 0 to say nothing.',
      default: 0,
    }),
  }),
  credentialProblems,
)
export type SpecV2 = SpecOf<typeof specV2>
export type Spec = SpecOf<typeof spec>

export function allowsAll({ allowedOrigins }: Pick<Spec, 'allowedOrigins'>): boolean {
  return allowedOrigins.length === 0 || allowedOrigins.includes('*')
}

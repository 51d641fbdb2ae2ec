import {
  checked,
  duration,
  httpCode,
  httpMethod,
  integer,
  list,
  map,
  number,
  object,
  oneOf,
  regexp,
  type SpecOf,
  type SpecProblem,
  string,
} from '../spec/schema.js'

/** Schemas that several filter kinds share (compat/traffic-v1.md §7). */

export const rootedPath = { pattern: /^\//, expected: 'a path that starts with "/"' }

/** How often something is tried, and the waits between. */
export const retryFields = {
  maxAttempts: integer({
    doc: 'Attempts in all, the first included.',
    min: 1,
    max: 100,
    default: 3,
  }),
  waitDuration: duration({ doc: 'Wait before the second attempt.', default: '500ms' }),
  backOffPolicy: oneOf(['random', 'exponential'], {
    doc: 'Whether later waits are alike, or each 1.5 times the one before.',
    ignoreCase: true,
    default: 'random',
  }),
  randomizationFactor: number({
    doc: 'Each wait is drawn from this share of itself around itself.',
    min: 0,
    max: 1,
    default: 0,
  }),
}

export const headerAdapt = object(
  {
    del: list(string({ doc: '' }), {
      doc: 'Names to delete; first of the three.',
      unique: true,
      default: [],
    }),
    set: map(string({ doc: '' }), { doc: 'Fields to replace, or to make.', default: {} }),
    add: map(string({ doc: '' }), { doc: 'Fields to append.', default: {} }),
  },
  { doc: 'Changes of headers; names and values may hold template variables.', optional: true },
)
export type HeaderAdaptSpec = Exclude<SpecOf<typeof headerAdapt>, undefined>

/** Every text of a header adaptation in which variables are replaced. */
export function headerTemplates(spec: HeaderAdaptSpec | undefined): string[] {
  if (spec === undefined) return []
  return [...spec.del, ...Object.entries(spec.set).flat(), ...Object.entries(spec.add).flat()]
}

export const pathAdapt = object(
  {
    replace: string({ doc: 'The new path.', default: '' }),
    addPrefix: string({ doc: 'Put in front of the path.', ...rootedPath, optional: true }),
    trimPrefix: string({
      doc: 'Taken off the path, once, if it is there.',
      ...rootedPath,
      optional: true,
    }),
    regexpReplace: object(
      {
        regexp: regexp({ doc: 'Pattern found in the path.' }),
        replace: string({ doc: 'Replaces every match; may use groups as $1 or by name.' }),
      },
      { doc: 'Replacement by pattern.', optional: true },
    ),
  },
  {
    doc: 'Change of the path; only the first of replace, addPrefix, trimPrefix, regexpReplace is applied.',
    optional: true,
  },
)

const matchFields = {
  exact: string({ doc: 'Equal to this.', default: '' }),
  prefix: string({ doc: 'Begins with this.', default: '' }),
  regex: regexp({ doc: 'Contains a match of this.', optional: true }),
}

/** Alternatives; at least one is given. */
export const stringMatch = (doc: string) =>
  checked(object(matchFields, { doc }), (spec): SpecProblem[] =>
    spec.exact !== '' || spec.prefix !== '' || spec.regex
      ? []
      : [{ path: [], message: 'expected at least one of exact, prefix and regex' }],
  )

export const urlRuleFields = {
  methods: list(httpMethod({ doc: '' }), {
    doc: 'Methods it holds for; empty for all.',
    unique: true,
    default: [],
  }),
  url: stringMatch('Path it holds for.'),
  policyRef: string({ doc: 'Name of the policy; the default policy without it.', default: '' }),
}

export const failureStatusCodes = list(httpCode({ doc: '' }), {
  doc: 'Statuses that count as failures.',
  unique: true,
  default: [],
})

/** Every URL rule resolves to a policy; names of policies are unique. */
export function checkPolicies(spec: {
  readonly policies: readonly { readonly name: string }[]
  readonly defaultPolicyRef: string
  readonly urls: readonly { readonly policyRef: string }[]
}): SpecProblem[] {
  const names = spec.policies.map((policy) => policy.name)
  return spec.urls.flatMap((rule, index): SpecProblem[] => {
    const wanted = rule.policyRef || spec.defaultPolicyRef
    if (wanted !== '' && names.includes(wanted)) return []
    const known = names.length === 0 ? 'there are none' : `there are ${names.join(', ')}`
    const message =
      wanted === ''
        ? `expected policyRef, or defaultPolicyRef beside urls (${known})`
        : `no policy "${wanted}" in policies (${known})`
    return [{ path: ['urls', index, 'policyRef'], message }]
  })
}

/** Fixed fields of an answer made here: names and values are known now, so they are checked now. */
export const answerHeaders = map(
  string({
    doc: '',
    pattern: /^[\t\x20-\x7e\u0080-\uffff]*$/,
    expected: 'text without line breaks and control characters',
  }),
  {
    doc: 'Headers of the answer; they replace those of the same names.',
    key: string({
      doc: '',
      pattern: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/,
      expected: 'the name of a header',
    }),
    default: {},
  },
)
